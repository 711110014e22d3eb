# The whole project from a fresh clone: `make demo` and `make test` need Python 3.11+, make and the package index.
# Each target brings what it needs: uv where it is missing, then the versions that uv.lock names, in .venv.
# uv looks at both each time, which takes a moment, so no target depends on `setup`.

PYTHON ?= python3
WORKERS ?= auto
ARGS ?=

BOOTSTRAPPED := build/tools/bin/uv
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BOOTSTRAPPED))
RUN := $(UV) run --locked
NEEDS := $(filter $(BOOTSTRAPPED),$(UV))

# An activated environment is not this project's.
unexport VIRTUAL_ENV
# uv does not read the certificates that pip was given.
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench build clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(NEEDS) ## Install everything for development into .venv
	@$(UV) sync --locked --all-extras

demo: $(NEEDS) ## Segment a synthetic shop, in build/demo
	@mkdir -p build/demo
	@$(RUN) --no-dev --all-extras --directory build/demo rfm demo $(ARGS)

test: $(NEEDS) ## Run the tests; ARGS="-k edges" narrows them
	@$(RUN) --all-extras pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup $(ARGS)

lint: $(NEEDS) ## Check style, formatting and types
	@$(RUN) --all-extras ruff check
	@$(RUN) --all-extras ruff format --check
	@$(RUN) --all-extras mypy

format: $(NEEDS) ## Format the code and apply the safe fixes
	@$(RUN) --all-extras ruff check --fix-only
	@$(RUN) --all-extras ruff format

bench: $(NEEDS) ## Time a run beside the floor of its job and its peers; ARGS="10m" narrows it
	@$(RUN) --all-extras python benchmarks/bench.py $(ARGS)

build: $(NEEDS) ## Build the wheel and the source distribution into dist
	@$(UV) build

clean: ## Remove what the targets made, except .venv
	@rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BOOTSTRAPPED):
	@echo "uv is not on PATH: installing it into build/tools" >&2
	@$(PYTHON) -m venv --clear build/tools
	@build/tools/bin/pip install --quiet --disable-pip-version-check uv
