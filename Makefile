# Needs only Python >= 3.11 with pip, and make. Everything else goes into an isolated .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# Each of the many processes of tests and checks would compile Prefect anew: half of its start.
export PYTHONDONTWRITEBYTECODE =
# Tests write thousands of records that must reach the disk, each in milliseconds: in memory they are there at once.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "TMPDIR=" $$6 }')
# A new file in the package means a new link in the strict editable install.
FILES := $(VENV)/.files

.PHONY: setup demo check test unit lint types mypy pyright bench chaos month workers screenshots lock clean FORCE

setup: $(VENV)/.installed

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is %d.%d; try: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/.requirements: requirements.lock | $(UV)
	@echo "setup: installing pinned requirements into $(VENV)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

$(FILES): FORCE | $(UV)
	@find . \( -name '*.py' -o -path '*/templates/*' \) -not -path './.*' -not -path './build/*' | sort > $@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(VENV)/.installed: $(VENV)/.requirements $(FILES) pyproject.toml
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --config-settings editable_mode=strict --editable .
	@touch $@

demo: setup
	@$(BIN)/omnivideo demo$(if $(UI), --ui)

# For the inner loop, in about a minute: everything but the tests that start servers.
check:
	@$(MAKE) --no-print-directory -j4 lint mypy pyright unit

# All tests. One worker runs all that share a server; those take longest, and come first. Not three workers: with seven
# flow runs starting at once, the Prefect server of the deployments did not answer for minutes.
test: setup
	@$(BIN)/lint-imports --no-cache
	@$(MEMORY) $(BIN)/pytest -n 2 --no-loadscope-reorder --durations=25

unit: setup
	@$(MEMORY) $(BIN)/pytest -q -n 2 --no-loadscope-reorder -m "not server"

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache

types:
	@$(MAKE) --no-print-directory -j2 mypy pyright

mypy: setup
	@$(BIN)/mypy

pyright: setup
	@$(BIN)/pyright

bench: setup
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.transfer

chaos: setup
	@$(BIN)/python -m bench.chaos

month: setup
	@$(BIN)/python -m bench.month

# Needs PostgreSQL (Debian: postgresql).
workers: setup
	@$(BIN)/python -m bench.workers

# The pictures of docs/tour.md; needs chromium.
screenshots: setup
	@SCREENSHOTS=docs/images $(BIN)/pytest -q tests/browser

# Pins with hashes, for every platform and Python from 3.11 on; names no index.
lock: | $(UV)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --all-extras --group dev pyproject.toml --output-file requirements.lock

clean:
	@rm -rf $(VENV) build *.egg-info

FORCE:
