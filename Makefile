PY ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test check bench lock

help: ## print what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

run: $(VENV)/.stamp ## install, train the first model, load a demo, start web and worker
	$(BIN)/triage up

test: $(VENV)/.stamp ## run the whole test suite
	$(BIN)/pytest -n auto

check: $(VENV)/.stamp ## formatter, linter, types, import rules, completeness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/architecture

bench: $(VENV)/.stamp ## classifier, latency and intake, our figure beside the peers' and the target
	$(BIN)/python benchmarks/run.py

lock: ## maintainers: pin the dependencies again, with hashes and without addresses
	uv pip compile pyproject.toml --universal --all-extras --no-strip-extras --generate-hashes --no-emit-index-url \
		--no-header --python-version 3.11 --output-file requirements.lock

$(VENV)/.stamp: pyproject.toml requirements.lock
	$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PY) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
