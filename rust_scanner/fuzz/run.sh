#!/usr/bin/env bash
# Fuzz: `run.sh [SECONDS [TARGET...]]`, each target that long. Needs a nightly toolchain and `cargo install cargo-fuzz`.
# Begins with Python files of this repository; a crash is left in artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-300}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(parse config cache answers)

mkdir -p corpus/{parse,config,cache,answers}
git ls-files -z ../.. | grep -z '\.py$' | xargs -0 cp --backup=numbered -t corpus/parse
for index in 0 1 2 3 4; do
    printf '%b' "\\x0$index" '[pytest]\npython_files = test_*.py *_test.py\naddopts = -k "x" --ignore=a\n' > "corpus/config/ini-$index"
    printf '%b' "\\x0$index" '[tool.pytest.ini_options]\ntestpaths = ["a*"]\nnorecursedirs = "b"\n' > "corpus/config/toml-$index"
done

python3 - corpus/answers <<'EOF'
import json, pathlib, struct, sys
frames = [{"waiting": "for one of 1 runs to end"}, {"served": "warm", "checkpoint": "modules"}, {"served": "cold", "reason": "x"}]
data = [struct.pack(">I", len(text)) + text for text in (json.dumps(frame).encode() for frame in frames)]
for index, text in enumerate([*data, b"".join(data), b"ready 12\0exit 1\0status 256", b"refuse x"]):
    pathlib.Path(sys.argv[1], str(index)).write_bytes(text)
EOF

for target in "${targets[@]}"; do
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 \
        -dict=python.dict -print_final_stats=1
done
