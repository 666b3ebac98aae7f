#!/usr/bin/env bash
# Installs this project, built from this checkout, into the environments of the real suites.
# usage: prepare_suites.sh DIR MANIFEST
# DIR holds suites/NAME and venvs/NAME, as made by the suites' own set-up script.
set -euo pipefail
dir=$(realpath "${1:?directory}") manifest=${2:?manifest.json}
here=$(realpath "$(dirname "$0")/../..")
cp "$manifest" "$dir/manifest.json"
wheels="$dir/wheels"
rm -rf "$wheels"
"$dir/tool/bin/pip" wheel --quiet --no-deps --wheel-dir "$wheels" "$here" "$here/pytest_plugin"
for venv in "$dir"/venvs/*; do
    "$dir/tool/bin/pip" --python "$venv/bin/python" install --quiet --force-reinstall --no-deps "$wheels"/*.whl
    "$dir/tool/bin/pip" --python "$venv/bin/python" install --quiet "$wheels"/*.whl
done
