# Everything a person does with a checkout. Each target brings what it needs: a fresh clone and Python are enough.

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SYNCED := $(VENV)/.synced
# Splits the tests over the processors.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
# Chooses among the tests of a target, as in `make test PYTEST_ARGS="tests/metrics -k rate"` or `PYTEST_ARGS=--durations=20`. Of two -m
# the last counts: `make test PYTEST_ARGS="-m slow tests/crash"` runs slow tests there, -m "" all tests.
PYTEST_ARGS ?=
KILLS ?= 200
# Pages of docs that `python -m pipelines.dictionary` writes.
PAGES := tables metrics
COMPILE := $(UV) pip compile --quiet --python $(BIN)/python --universal --python-version 3.11 --generate-hashes --no-build \
	--no-emit-index-url --no-emit-find-links --annotation-style line --custom-compile-command "make lock"
# With what a server needs: an installation from the lock of the product is a server.
COMPILE_PRODUCT := $(COMPILE) pyproject.toml --extra server
COMPILE_DEV := $(COMPILE_PRODUCT) --group dev --constraints requirements.lock

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-service kills bi-check dev lint lint-locks docs bench readers scale drift soak lock bi-lock wheel clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(SYNCED) ## Make .venv with exactly the locked packages
	@echo "Ready: $(BIN)/chorus-calls --help"

demo: $(SYNCED) ## Run everything once on simulated calls, without an account
	@$(BIN)/chorus-calls demo

test: $(SYNCED) ## Run the tests that are quick: two minutes on two processors
	@$(PYTEST) -m "not slow and not service" $(PYTEST_ARGS)

test-slow: $(SYNCED) ## Run the slow tests, and those with hypothesis with all their examples
	@$(PYTEST) -m "(slow or hypothesis) and not service" --hypothesis-profile=ci $(PYTEST_ARGS)

kills: $(SYNCED) ## Kill syncs and builds 200 times, and check that the lake stays correct
	@KILLS=$(KILLS) $(BIN)/python -m pytest tests/crash/test_kills.py $(PYTEST_ARGS)

# pytest ends with 5 where no test is marked.
test-service: $(SYNCED) ## Run the tests that start real services
	@$(BIN)/python -m pytest -m service $(PYTEST_ARGS) || [ $$? -eq 5 ]

bi-check: $(SYNCED) ## Install Superset and older DuckDBs, and check that they read the catalog
	@$(BIN)/python -m pytest tests/bi $(PYTEST_ARGS)

dev: $(SYNCED) ## Open Dagster's UI on this machine
	@$(BIN)/python -m assets.dev

lint: $(SYNCED) lint-locks ## Check style, types, imports, locks, containers and generated pages
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	@for page in $(PAGES); do \
		$(BIN)/python -m pipelines.dictionary $$page | cmp - docs/$$page.md \
			|| { echo "Run 'make docs' and commit the result." >&2; exit 1; }; \
	done

# Compiled onto the present locks, so that a newer release of a package changes nothing: only pyproject.toml can.
lint-locks: $(SYNCED)
	@cp requirements.lock requirements-dev.lock $(VENV)/
	@$(COMPILE_PRODUCT) -o $(VENV)/requirements.lock
	@$(COMPILE_DEV) -o $(VENV)/requirements-dev.lock
	@cmp requirements.lock $(VENV)/requirements.lock && cmp requirements-dev.lock $(VENV)/requirements-dev.lock \
		|| { echo "The locks do not match pyproject.toml. Run 'make lock' and commit them." >&2; exit 1; }

docs: $(SYNCED) ## Write the pages that are made from the data dictionary, and the digests of a new TABLE_VERSION
	@for page in $(PAGES); do $(BIN)/python -m pipelines.dictionary $$page > docs/$$page.md || exit 1; done
	@$(BIN)/python -m tests.materialize.test_table_version

bench: $(SYNCED) ## Measure speed and memory, and answers on a million calls; takes ten minutes
	@$(BIN)/python benchmarks/bench.py $(BENCH_ARGS)
	@$(BIN)/python benchmarks/questions.py $(QUESTIONS_ARGS)

readers: $(SYNCED) ## Show what readers see while days are rewritten; takes a while and some GB
	@PYTHONPATH=. $(BIN)/python benchmarks/readers.py $(READERS_ARGS)

scale: $(SYNCED) ## Measure what a lake of many days costs
	@$(BIN)/python benchmarks/scale.py

drift: $(SYNCED) ## Measure what syncs ask for while the list changes; takes some minutes
	@PYTHONPATH=. $(BIN)/python benchmarks/drift.py $(DRIFT_ARGS)

soak: $(SYNCED) ## Play many more disturbed scans than the tests do; takes some minutes
	@$(BIN)/python -m pytest -q --hypothesis-profile=soak tests/extract/test_scan_machine.py $(PYTEST_ARGS)

# Needs no complete .venv, so that locks which cannot be installed can be made again.
lock: $(UV) ## Write the locks again after a change of pyproject.toml; UPGRADE=--upgrade takes newer versions
	@$(COMPILE_PRODUCT) $(UPGRADE) -o requirements.lock
	@$(COMPILE_DEV) $(UPGRADE) -o requirements-dev.lock

# Not compiled with the others: Superset needs packages that are published as source alone.
bi-lock: $(UV) ## Write the locks of tests/bi again after a change of their .in files
	@cd tests/bi && for name in superset older-duckdb; do \
		$(CURDIR)/$(UV) pip compile --quiet --python $(CURDIR)/$(BIN)/python --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --annotation-style line --custom-compile-command "make bi-lock" \
			$(UPGRADE) $$name.in -o $$name.txt || exit 1; \
	done

wheel: $(SYNCED) ## Build the wheel into dist/
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

clean: ## Remove .venv, caches and dist; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for name in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
		if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then \
			echo "Making $(VENV) with $$("$$name" --version)"; \
			"$$name" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }; \
			exit 0; \
		fi; \
	done; \
	echo "No Python 3.11, 3.12, 3.13 or 3.14 was found. Install one, or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 1

# pip knows no lock of several packages with one of them wanted: it gets the lines of uv alone.
$(UV): | $(BIN)/python
	@awk '/^[^ #]/ {wanted = /^uv==/} wanted' requirements-dev.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt

# Byte-compiled here, once: the first run of a command would take many times longer otherwise.
$(SYNCED): requirements-dev.lock pyproject.toml | $(UV)
	@$(UV) pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
