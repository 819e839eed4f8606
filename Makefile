# `make demo`, `make test`: nothing else is needed but Python 3.11 or later, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links
ARGS ?=
# A test that hangs ends with a traceback and a name, after so many seconds.
HUNG := -o faulthandler_exit_on_timeout=true -o faulthandler_timeout

# Many processes start here, and each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-slow test-all check format lock clean setup setup-dev

help:
	@echo 'make demo       a local workspace, a shop that breaks, an investigation, an approval, a healed service'
	@echo '                make demo ARGS="--headless --json --scenario all"'
	@echo 'make test       up to 5 minutes on 2 cores'
	@echo 'make test-slow  what `make test` leaves out: crash tests at every boundary, all scenarios, the browser'
	@echo 'make test-all   both'
	@echo 'make check      ruff, ruff format, mypy, import-linter'
	@echo 'make lock       resolve the dependencies anew'

# Pip reads the locked versions and hashes; the project itself is then installed without looking for anything else.
$(VENV)/.run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Autoheal needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q bot handlers agents store
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

# The main job on embedded defaults. It ends with Ctrl-C, or by itself with ARGS=--headless.
demo: $(VENV)/.run
	$(BIN)/autoheal demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 3 --dist worksteal $(HUNG)=300 -m "not slow and not browser" $(ARGS)

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal $(HUNG)=900 -m "slow or browser" $(ARGS)

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal $(HUNG)=1800 $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One universal resolution for Python 3.11-3.14 on Linux and macOS; the files name no index.
lock: $(VENV)/.dev
	$(LOCK) --upgrade pyproject.toml requirements.in -o requirements.lock
	$(LOCK) -c requirements.lock --group dev pyproject.toml requirements.in -o requirements-dev.lock

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
