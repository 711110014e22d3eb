# The targets work in a fresh clone; they need Python 3.11 or later, make and access to the package index.
# Each target installs uv if it is missing, and the versions of uv.lock into .venv. `uv run` checks both in a moment, so
# no target depends on `setup`.

PYTHON ?= python3
WORKERS ?= auto
ARGS ?=
# Oldest permitted, locked or newest permitted dependencies, and the Python to run them on.
VERSIONS ?= lowest-3.11 locked-3.13 newest-3.11 newest-3.13

BOOTSTRAPPED := build/tools/bin/uv
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BOOTSTRAPPED))
RUN := $(UV) run --locked
NEEDS := $(filter $(BOOTSTRAPPED),$(UV))

PYTEST = pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup
# One test of every fault or kill takes far longer than the seven minutes after which a test counts as hanging.
HOURS = -o faulthandler_timeout=14400
FAST = -m "not slow and not long" --hypothesis-profile=fast

# Dependencies other than the locked ones: an environment of their own, as uv would write them into uv.lock otherwise.
define test_with
echo "== $(1)" && \
$(UV) venv --quiet --clear --python $(2) build/versions/$(1) && \
$(UV) pip install --quiet --python build/versions/$(1) --requirements pyproject.toml --all-extras --group test \
  --editable . $(3) && \
PATH="$(abspath build/versions/$(1))/bin:$$PATH" $(PYTEST) $(FAST) $(ARGS)
endef

# uv would use the activated environment instead of .venv.
unexport VIRTUAL_ENV
# Without bytecode files, each of the many processes that the tests start compiles its modules anew: with them the
# collection takes 9 s instead of 27.
unexport PYTHONDONTWRITEBYTECODE
# uv does not read PIP_CERT.
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-long test-versions lint format docs pictures bench build release clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(NEEDS) ## Install everything for development into .venv
	@$(UV) sync --locked --all-extras

demo: $(NEEDS) ## Segment a synthetic shop, in build/demo
	@mkdir -p build/demo
	@$(RUN) --no-dev --all-extras --directory build/demo rfm demo $(ARGS)

test: $(NEEDS) ## Run the fast tests; ARGS="-k edges" narrows them
	@$(RUN) --all-extras $(PYTEST) $(FAST) $(ARGS)

test-all: $(NEEDS) ## Run all tests, with a sample of the faults and kills, as CI does
	@$(RUN) --all-extras $(PYTEST) --hypothesis-profile=ci --randomly-seed=1 $(ARGS)

test-long: $(NEEDS) ## Run every fault, every kill and many random examples of each property; takes hours
	@$(RUN) --all-extras $(PYTEST) -m "long or hypothesis" --hypothesis-profile=long $(HOURS) $(ARGS)

test-versions: $(addprefix version-,$(VERSIONS)) ## Run the fast tests with the VERSIONS of dependencies and Python

version-lowest-%: $(NEEDS)
	@$(call test_with,lowest-$*,$*,--resolution lowest-direct)

version-newest-%: $(NEEDS)
	@$(call test_with,newest-$*,$*,--resolution highest)

version-locked-%: $(NEEDS)
	@echo "== locked-$*"
	@UV_PROJECT_ENVIRONMENT=build/versions/locked-$* $(RUN) --python $* --all-extras $(PYTEST) $(FAST) $(ARGS)

lint: $(NEEDS) ## Check style, formatting, types and prose
	@$(RUN) --all-extras ruff check
	@$(RUN) --all-extras ruff format --check
	@$(RUN) --all-extras mypy
	@$(RUN) --all-extras python .ci/prose.py

format: $(NEEDS) ## Format the code and apply the safe fixes
	@$(RUN) --all-extras ruff check --fix-only
	@$(RUN) --all-extras ruff format

docs: $(NEEDS) ## Build the documentation into build/site, and check its links
	@UV_PROJECT_ENVIRONMENT=build/tools/docs $(RUN) --only-group docs python docs/site/build_site.py

pictures: $(NEEDS) ## Draw the pictures of README.md anew, with Chromium
	@RFM_UPDATE_GOLDEN=1 $(RUN) --all-extras pytest -q -n 0 tests/system/browser/test_pictures.py

bench: $(NEEDS) ## Time a run in comparison with a lower bound and other tools; ARGS="10m" narrows it
	@$(RUN) --all-extras python benchmarks/run.py $(ARGS)

build: $(NEEDS) ## Build the wheel and the source distribution into dist
	@$(UV) build

release: $(NEEDS) ## Build and check the distributions; publish them if UV_PUBLISH_TOKEN is set
	@rm -rf dist
	@$(UV) build --quiet
	@$(UV) tool run --quiet twine check --strict dist/*
	@$(UV) run --no-project python .ci/release.py

clean: ## Remove what the targets made, except .venv
	@rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BOOTSTRAPPED):
	@echo "uv is not on PATH: installing it into build/tools" >&2
	@$(PYTHON) -m venv --clear build/tools
	@build/tools/bin/pip install --quiet --disable-pip-version-check uv
