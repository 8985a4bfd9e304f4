PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile
# Processes that tests start load modules from bytecode, also where the environment says not to write any.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo baseline check test lint fuzz soak faults orchestrators installation benchmarks site format clean
help: ## Show these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/product: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/development: .venv/product
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/benchmarks: .venv/product
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

install: .venv/product ## Install into .venv

demo: .venv/product ## Make 1,000 documents, load them with 4 workers, say where to look next
	rm -rf demo
	$(BIN)/xml-extractor demo
	@echo
	@echo "The tutorial loads documents of your own: documentation/tutorial/first-load.md"

baseline: .venv/product ## Measure how fast this machine loads, and compare with the stored baseline; OPTIONS='--runs 3' and the like
	$(BIN)/python env_prep/establish_baseline.py $(OPTIONS)

lint: .venv/development
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint ## Lint, types, unit tests, golden cases and architecture: the quick loop
	$(PYTEST) tests/unit tests/cases tests/test_architecture.py

test: lint ## The complete check: lint, types and all tests
	$(PYTEST)

fuzz: .venv/development ## Parse and map 20,000 broken documents, files and contracts, and count the reasons why they are rejected
	$(BIN)/python -m tests.fuzz --documents 20000

soak: .venv/development ## Load 50,000 documents full of new names, and check that no process grows
	$(BIN)/python -m tests.soak --documents 50000

faults: .venv/development ## Break runs at every point, kill their processes, cut connections; then check that nothing is lost or duplicated
	$(BIN)/python -m tests.faults.sweep
	$(BIN)/python -m tests.faults.revisions --rounds 3
	$(BIN)/python -m tests.faults.server_sweep

ORCHESTRATORS := airflow dagster prefect
PACKAGE_OF_airflow := apache-airflow
orchestrators: ## Execute the examples for Airflow, Dagster and Prefect, each in an environment of its own
	$(foreach name,$(ORCHESTRATORS),$(PYTHON) -m venv .venv/$(name) && \
		.venv/$(name)/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check --editable . $(or $(PACKAGE_OF_$(name)),$(name)) && \
		.venv/$(name)/$(notdir $(BIN))/python -m tests.orchestrators $(name) &&) true

installation: .venv/product ## Build wheel and sdist, and install them with pip, pipx, uv and without an index, each in a clean environment
	$(BIN)/python -m tests.installation

BENCHMARKS := map trees transport load run run_cpu run_server round_trips quality memory records peers
benchmarks: .venv/benchmarks ## Measure for half an hour on a quiet machine, and record it
	$(foreach name,$(BENCHMARKS),$(BIN)/python -m metrics.benchmarks.$(name) &&) $(BIN)/python -m metrics.benchmarks.page

.venv/site: .venv/product
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[site]'
	@touch $@

site: .venv/site ## Build the documentation site in build/site; a broken link is an error
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going --conf-dir documentation/site . build/site
	@echo "Open build/site/index.html"

format: .venv/development ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

clean: ## Remove what the other targets made
	rm -rf .venv demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
