# The house's commands. `make` alone lists them. They install what they need into .venv and target/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(CURDIR)/$(VENV)/bin/python
REQUIREMENTS := python/requirements-dev.txt
WITH_PYTHON := $(wildcard python/pyproject.toml)
WITH_CODEGEN := $(wildcard bindings/codegen/Cargo.toml)
NPM := $(shell command -v npm)
NODE_MODULES := node/node_modules/.package-lock.json

# mold links several times faster. Only make uses it, so a plain `cargo build` needs nothing but Rust.
ifneq ($(shell command -v mold),)
export RUSTFLAGS ?= -C link-arg=-fuse-ld=mold
endif

APT := (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
say = @printf '\n\033[1m== %s\033[0m\n' "$(1)"
left_out = @printf 'left out: %s\n' "$(1)"

.PHONY: help demo test wheel node-package bench generate lint format soak clean
.PHONY: tools venv build extension addon test-rust test-docs test-python test-node test-generated test-examples

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(if $(NPM),$(NODE_MODULES)) ## build the command line and show a team at work, one of them in Node
	$(call say,building the command line)
	cargo build --release -p folkmoot-cli $(if $(NPM),-p folkmoot-node)
	$(if $(NPM),cd node && npm run --silent build && npm run --silent addon -- --release)
	$(call say,folkmoot demo)
	target/release/folkmoot demo

test: ## build everything and run every test (up to 30 minutes on 2 cores)
	@$(MAKE) tools
	@$(MAKE) build
	@$(MAKE) test-rust
	@$(MAKE) test-docs
	@$(MAKE) extension
	@$(MAKE) test-python
	@$(MAKE) test-node
	@$(MAKE) test-generated
	@$(MAKE) test-examples
	$(call say,all tests passed)

wheel: venv ## build the Python package into dist/
	$(call say,the wheel)
	cd python && VIRTUAL_ENV=$(CURDIR)/$(VENV) $(PYTHON) -m maturin build --release -q -o ../dist
	@ls dist/*.whl

node-package: $(if $(NPM),$(NODE_MODULES)) ## build the Node package for this platform into dist/
	$(call say,the Node package)
	@command -v npm > /dev/null || { echo "npm is missing: install Node.js 20 or newer with npm"; exit 1; }
	cd node && npm run --silent build && npm run --silent addon -- --release
	cp LICENSE-APACHE LICENSE-MIT node/
	mkdir -p dist && cd node && npm pack --silent --pack-destination ../dist
	rm node/LICENSE-APACHE node/LICENSE-MIT

bench: ## measure folkmoot beside its limits and peers (BENCH="--quick --only P3")
	$(call say,benchmarks)
	python3 bench/run.py $(BENCH)

generate: ## write the generated code and pages anew from the table of operations
	$(call say,generating)
ifneq ($(WITH_CODEGEN),)
	cargo run -q -p folkmoot-codegen
else
	$(call left_out,bindings/codegen is not there)
endif

lint: venv ## formatting, clippy, ruff, mypy, biome, tsc, licences
	$(call say,Rust)
	cargo fmt --all --check
	cargo fmt --check --manifest-path bench/limits/Cargo.toml
	cargo clippy --workspace --all-targets -- -D warnings
	$(call say,Python)
	$(PYTHON) -m ruff check bench $(if $(WITH_PYTHON),python) $(wildcard examples/python)
	$(PYTHON) -m ruff format --check bench $(if $(WITH_PYTHON),python) $(wildcard examples/python)
ifneq ($(WITH_PYTHON),)
	cd python && $(PYTHON) -m mypy folkmoot && $(PYTHON) -m mypy.stubtest folkmoot._native
else
	$(call left_out,mypy: python/pyproject.toml is not there)
endif
ifneq ($(NPM),)
	@$(MAKE) $(NODE_MODULES)
	$(call say,TypeScript)
	cd node && npm run --silent lint
else
	$(call left_out,TypeScript: npm is missing)
endif
	$(call say,licences and sources)
	@if command -v cargo-deny > /dev/null; then cargo deny check bans licenses sources; \
	else echo "left out: cargo-deny is not installed (cargo install cargo-deny --locked)"; fi

format: venv ## write Rust, Python and TypeScript in the house's form
	cargo fmt --all
	cargo fmt --manifest-path bench/limits/Cargo.toml
	$(PYTHON) -m ruff check --fix -q bench $(if $(WITH_PYTHON),python) $(wildcard examples/python)
	$(PYTHON) -m ruff format -q bench $(if $(WITH_PYTHON),python) $(wildcard examples/python)
	$(if $(NPM),@$(MAKE) $(NODE_MODULES) && cd node && npm run --silent format)

# A test run kills and simulates in small numbers; a release in large ones.
soak: export FOLKMOOT_TEST_KILLS ?= 100000
soak: export FOLKMOOT_TEST_SEEDS ?= 100000
soak: tools ## crashes and simulation for hours (FOLKMOOT_TEST_KILLS, FOLKMOOT_TEST_SEEDS)
	$(call say,$(FOLKMOOT_TEST_KILLS) kills and $(FOLKMOOT_TEST_SEEDS) seeds)
	cargo test --release --workspace --tests -- --nocapture

clean: ## remove what was built and installed
	cargo clean
	rm -rf $(VENV) node/node_modules node/dist node/native bench/.venv bench/.data bench/limits/target

# --- steps of the above ---

tools:
	@command -v cargo > /dev/null || { echo "Rust is missing: install it from https://rustup.rs"; exit 1; }
	@command -v python3 > /dev/null || { echo "Python 3.11 or newer is missing"; exit 1; }
	@command -v cc > /dev/null || { echo "a C compiler is missing: apt-get install build-essential"; exit 1; }
	@if ! command -v mold > /dev/null; then \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	echo "installing mold"; $(APT) mold) > /dev/null 2>&1 || echo "going on without mold"; \
	else echo "going on without mold (apt-get install mold makes linking faster)"; fi; fi

venv: $(VENV)/installed

$(VENV)/installed: $(REQUIREMENTS)
	$(call say,Python tools into $(VENV))
	@python3 -c 'import venv, ensurepip' 2> /dev/null || { \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then $(APT) python3-venv) > /dev/null; \
	else echo "Python cannot make a venv: apt-get install python3-venv"; exit 1; fi; }
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install -q -r $(REQUIREMENTS)
	@touch $@

build:
	$(call say,building the workspace)
	cargo build --workspace

test-rust:
	$(call say,Rust tests)
	@if command -v cargo-nextest > /dev/null; then cargo nextest run --workspace --no-tests=pass; \
	else cargo test --workspace --lib --bins --tests; fi

test-docs:
	$(call say,examples in the Rust docs)
	cargo test --workspace --doc

extension: $(if $(WITH_PYTHON),venv)
	$(call say,the Python extension)
ifneq ($(WITH_PYTHON),)
	cd python && VIRTUAL_ENV=$(CURDIR)/$(VENV) $(PYTHON) -m maturin develop -q
else
	$(call left_out,python/pyproject.toml is not there)
endif

test-python: $(if $(WITH_PYTHON),venv)
	$(call say,Python tests)
ifneq ($(WITH_PYTHON),)
	cd python && $(PYTHON) -m pytest -q tests
else
	$(call left_out,python/pyproject.toml is not there)
endif

# npm says when the modules were installed by writing this file.
$(NODE_MODULES): node/package.json node/package-lock.json
	$(call say,Node tools into node/node_modules)
	cd node && npm ci --no-audit --no-fund --silent
	@touch $@

addon: $(if $(NPM),$(NODE_MODULES))
	$(call say,the Node package)
ifneq ($(NPM),)
	cd node && npm run --silent build && npm run --silent addon
else
	$(call left_out,npm is missing: install Node.js 20 or newer with npm (apt-get install nodejs npm))
endif

test-node: addon
	$(call say,Node tests)
ifneq ($(NPM),)
	cd node && npm run --silent types && npm test --silent
endif

test-generated:
	$(call say,is what is generated fresh?)
ifneq ($(WITH_CODEGEN),)
	cargo run -q -p folkmoot-codegen -- --check
else
	$(call left_out,bindings/codegen is not there)
endif

# Each example is a program that ends by itself and fails loudly.
test-examples: $(if $(WITH_PYTHON),venv)
	$(call say,examples)
ifneq ($(and $(WITH_PYTHON),$(wildcard examples/python)),)
	@for example in examples/python/*.py; do echo "$$example"; timeout 120 $(PYTHON) "$$example" > /dev/null; done
else
	$(call left_out,examples/python is not there)
endif
