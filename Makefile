# `make demo`, `make test`: nothing else is needed but Python 3.11 or later and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test test-all check lock clean setup setup-dev

# Pip reads the locked versions and hashes; the project itself is then installed without looking for anything else.
$(VENV)/.run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Autoheal needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

# The main job on embedded defaults: a local workspace, a shop that breaks, an investigation, an approval, a healed service.
demo: $(VENV)/.run
	$(BIN)/autoheal demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not slow and not browser" $(ARGS)

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One universal resolution for Python 3.11-3.14 on Linux and macOS; the files name no index.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --upgrade pyproject.toml requirements.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  -c requirements.lock --group dev pyproject.toml requirements.in -o requirements-dev.lock

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache
