# Each line can be typed by hand. PYTHON names the interpreter that makes the environment.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check bench docs clean

run: .venv/ready ## start web and worker, print the address
	$(BIN)/talkworthy run

test: .venv/ready ## every test, on SQLite and then the desk's again on PostgreSQL
	$(BIN)/pytest -q -n auto --dist worksteal
	$(BIN)/python tests/on_postgresql.py -q -n auto --dist worksteal

check: .venv/ready ## lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench ## what is measured, side by side; figures are in benchmarks/README.md
	$(BIN)/python benchmarks/matching.py
	$(BIN)/python benchmarks/analysis.py
	$(BIN)/python benchmarks/archive.py
	$(BIN)/python benchmarks/pipeline.py

docs: .venv/ready ## the pages that are compared with the code
	$(BIN)/pytest -q tests/test_docs.py tests/connectors/test_connector_pages.py tests/query/test_query_reference_page.py

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch .venv/ready

.venv/bench: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	touch .venv/bench

clean: ## remove the environment and caches; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
