# `make demo` and `make test` set up all they need from nothing: Python >= 3.10, Rust, Node.js.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport MAKEFLAGS MFLAGS  # cargo has as many jobs as there are processors, not those of make

.PHONY: demo test check unit long fuzz audit rust extension vscode vscode-ready vscode-all clean

# An environment as a user would have it: the two distributions, and what the example imports.
DEMO := .work/demo
demo:
	test -x $(DEMO)/bin/python || $(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install --quiet . ./pytest_plugin numpy pandas
	$(DEMO)/bin/python tools/demo.py

# VS Code is fetched while Rust is compiled; nothing runs beside the tests.
test:
	$(MAKE) --jobs 2 --output-sync=target vscode-ready check rust
	$(MAKE) unit extension vscode

# The environment: both distributions editable, with the tools. Rust is built again when it changed.
$(VENV)/.installed: pyproject.toml pytest_plugin/pyproject.toml Cargo.lock $(wildcard rust_scanner/src/*.rs rust_scanner/src/*/*.rs)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --group dev
	$(BIN)/pip install --quiet --editable . --editable ./pytest_plugin
	touch $@

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest fastcollect_lsp._core

rust:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test

# Side by side, but those of one file: they share servers and real suites. They wait for events now and then: more of
# them than there are processors. In their order, as the longest come before the small ones then.
unit: $(VENV)/.installed
	$(BIN)/python -m pytest -p no:fastcollect -p no:cacheprovider -n $$(($$(nproc) < 3 ? $$(nproc) + 2 : 4)) --dist loadfile --no-loadscope-reorder

# What takes too long for every change: matrices, long random tests, fuzzing. FASTCOLLECT_SUITES as in CONTRIBUTING.md.
long: $(VENV)/.installed
	$(BIN)/python -m pytest -p no:fastcollect -p no:cacheprovider -m long

# Five minutes of each target (`rust_scanner/fuzz/run.sh SECONDS TARGET...` for others); needs nightly and cargo-fuzz.
fuzz:
	rust_scanner/fuzz/run.sh

# Advisories, licences and sources of all that is depended on; needs cargo-deny, and reaches for the advisory databases.
audit: $(VENV)/.installed
	$(BIN)/pip install --quiet --group audit
	mkdir -p .work && $(BIN)/pip freeze --exclude-editable > .work/audit.txt
	cargo deny check
	$(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off --requirement .work/audit.txt

NODE_MODULES := vscode-extension/node_modules/.installed
$(NODE_MODULES): vscode-extension/package-lock.json
	cd vscode-extension && npm ci --no-audit --no-fund
	touch $@

extension: $(NODE_MODULES)
	cd vscode-extension && npm run lint && npm run build && npm test && npm run package

vscode-ready: $(NODE_MODULES)
	tests/editor/vscode/setup.sh

vscode: vscode-ready extension $(VENV)/.installed
	cd tests/editor/vscode && FASTCOLLECT_PYTHON=$(abspath $(BIN)/python) npm test

# Every journey in a real VS Code; `vscode` has the main path only. Needs debugpy and coverage in the environment.
vscode-all: vscode-ready extension $(VENV)/.installed
	$(BIN)/pip install --quiet coverage debugpy
	cd tests/editor/vscode && FASTCOLLECT_PYTHON=$(abspath $(BIN)/python) npm run all

clean:
	rm -rf target $(VENV) .work vscode-extension/node_modules
