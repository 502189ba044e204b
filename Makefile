# Two commands do everything on a fresh Debian 12 with python3 (3.11 or later, with venv), git and make.
PYTHON ?= python3
ENGINE ?= docker
VENV := .venv
BIN := $(VENV)/bin
# Half of a test's time is waiting for processes, so that two workers keep a core busy.
PYTEST = $(BIN)/python -m pytest -n $$((2 * $$(nproc))) --dist worksteal
unexport PYTHONDONTWRITEBYTECODE  # compiling everything anew for each process takes longer than the process

.PHONY: demo test test-large test-all install dev lint types floors conformance wheel bench docs image clean

demo: install    ## deploy a small application for real, break it, and watch it being rolled back
	@$(BIN)/python demo/run.py

test: dev        ## the whole suite; installs what it needs
	@scripts/debian-packages
	@$(PYTEST) -m "not large and not sweep"

test-large: dev  ## bundles and outputs of a gigabyte (some 4 GiB of disk), whole sweeps, generated cases in full number
	@scripts/debian-packages
	@PENSTOCK_ALL_CASES=1 $(PYTEST) -m "large or sweep or generated"

test-all: dev    ## both in one run; CI asks for generated cases in full number as well
	@scripts/debian-packages
	@$(PYTEST)

install: $(VENV)/installed
dev: $(VENV)/dev-installed

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Penstock needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version). Say PYTHON=... to use another."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "The venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/dev-installed: $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

lint: dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint Dockerfile

types: dev
	@$(BIN)/mypy

floors: dev      ## what may import what; the map is in pyproject.toml
	@$(BIN)/lint-imports

conformance: dev ## our executor beside 129 recorded deployments of the official agent; needs root
	@scripts/debian-packages
	@$(BIN)/python tests/conformance/host/check.py

wheel: dev       ## build it, install it into an empty environment, run the tests that notice what it lacks
	@scripts/test-wheel

image:           ## the container's image; ENGINE=podman for another engine than docker
	@$(ENGINE) build --tag penstock .

bench: dev       ## figures beside their floors; never a test
	@$(BIN)/python -m benchmarks

docs: dev        ## the generated page, and the picture
	@$(BIN)/python scripts/manifest_reference.py
	@$(BIN)/python scripts/record_demo.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
