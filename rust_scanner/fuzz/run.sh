#!/usr/bin/env bash
# Fuzz: `run.sh [SECONDS [TARGET...]]`, each target that long. Needs a nightly toolchain and `cargo install cargo-fuzz`.
# Begins with Python files of this repository; a crash is left in artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-300}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(parse config cache)

mkdir -p corpus/{parse,config,cache}
git ls-files -z ../.. | grep -z '\.py$' | xargs -0 cp --backup=numbered -t corpus/parse
for index in 0 1 2 3 4; do
    printf '%b' "\\x0$index" '[pytest]\npython_files = test_*.py *_test.py\naddopts = -k "x" --ignore=a\n' > "corpus/config/ini-$index"
    printf '%b' "\\x0$index" '[tool.pytest.ini_options]\ntestpaths = ["a*"]\nnorecursedirs = "b"\n' > "corpus/config/toml-$index"
done

for target in "${targets[@]}"; do
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 \
        -dict=python.dict -print_final_stats=1
done
