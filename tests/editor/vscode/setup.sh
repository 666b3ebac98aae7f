#!/usr/bin/env bash
# Sets up what `npm test` here needs: Chromium from Debian, and code-server (VS Code's own server and
# workbench) from the npm registry with its native modules compiled for the Node that is on PATH.
#
#   tests/editor/vscode/setup.sh [DIR]      DIR: default $FASTCOLLECT_CODE_SERVER, else <repository>/.work/code-server
#
# Needs Node 20, a C++ compiler, make and python3; root only where Chromium has to be installed.
# Safe to repeat: what is there already is kept.
set -euo pipefail

readonly CODE_SERVER_VERSION=4.100.3 # VS Code 1.100.3, the oldest that the extension supports
readonly RIPGREP_VERSION=1.18.0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../../.." && pwd)
target=$(realpath -m "${1:-${FASTCOLLECT_CODE_SERVER:-$repository/.work/code-server}}")
entry="$target/node_modules/code-server/out/node/entry.js"
workbench="$target/node_modules/code-server/lib/vscode"

npm_install() {
  npm install --no-save --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error "$@"
}

install_chromium() {
  command -v chromium >/dev/null && return
  echo "setup: installing chromium"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium
}

# Install scripts are not run (code-server's would fetch from elsewhere); the few native modules that the
# server and its extension host load are compiled one by one instead. Kerberos stays as it is: it is
# loaded for proxies only.
compile_native_modules() {
  local headers gyp module
  gyp="$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js"
  headers=()
  [ -f /usr/include/node/node.h ] && headers=(--nodedir=/usr)
  # argon2 brings its own build tool, which would rather fetch a binary.
  (cd "$target" && npm rebuild --build-from-source --loglevel=error argon2)
  for module in @vscode/spdlog node-pty native-watchdog; do
    (cd "$workbench/node_modules/$module" && node "$gyp" rebuild "${headers[@]}" --loglevel=error)
  done
}

# What code-server's own post-install script would have put in place.
link_helpers() {
  install -D "$target/node_modules/@vscode/ripgrep-linux-x64/bin/rg" \
    "$workbench/node_modules/@vscode/ripgrep/bin/rg"
  ln -sfn node_modules "$workbench/node_modules.asar"
  ln -sfn code-linux.sh "$workbench/bin/remote-cli/code-server"
  ln -sfn browser-linux.sh "$workbench/bin/helpers/browser.sh"
}

install_code_server() {
  # The mark is written last: an installation that was interrupted is done again.
  local mark="$target/installed-$CODE_SERVER_VERSION"
  [ -f "$mark" ] && return
  echo "setup: installing code-server $CODE_SERVER_VERSION into $target"
  mkdir -p "$target"
  echo '{"name": "code-server-host", "private": true}' >"$target/package.json"
  (cd "$target" && npm_install "code-server@$CODE_SERVER_VERSION" "@vscode/ripgrep-linux-x64@$RIPGREP_VERSION")
  (cd "$workbench" && npm_install)
  compile_native_modules >"$target/compile.log" 2>&1 || { tail -40 "$target/compile.log" >&2; exit 1; }
  link_helpers
  # Private folders: it would write a configuration file into the home directory.
  XDG_CONFIG_HOME="$target/config" XDG_DATA_HOME="$target/data" node "$entry" --version
  touch "$mark"
}

install_chromium
install_code_server
for packages in "$repository/vscode-extension" "$here"; do
  (cd "$packages" && [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --loglevel=error)
done
echo "setup: ready"
