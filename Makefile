# Needs Python 3.11 or newer and make; everything else goes into .venv, nothing into the system.
PYTHON ?= python3
CONFIG ?= examples/demo.yaml
BIN := .venv/bin
READY := .venv/.ready
LINTED := dagster_project expectations tests benchmarks

.PHONY: run test drills lint ui lock format clean test-lts docs

run: $(READY)  ## a finished night on the built-in shop, or on CONFIG=...
	@$(BIN)/loyalty run --config $(CONFIG)

test: $(READY)  ## all tests
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

drills: $(READY)  ## faults, corruptions and readers in their long form; writes docs/reliability.md
	@DRILLS=long $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile tests/drills tests/unit/publishing

lint: $(READY)  ## style, types, SQL, import rules
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_models/models dbt_models/tests --processes 2

format: $(READY)  ## let the tools correct style
	$(BIN)/ruff format $(LINTED)
	$(BIN)/ruff check --fix $(LINTED)

ui: $(READY)  ## the Dagster UI on http://127.0.0.1:3000
	DAGSTER_HOME="$$($(BIN)/loyalty instance --config $(CONFIG))" LOYALTY_CONFIG="$(abspath $(CONFIG))" \
		PYTHONWARNINGS=ignore PATH="$(abspath $(BIN)):$$PATH" $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

docs: $(READY)  ## tables, columns and lineage as one page that opens offline
	@$(BIN)/loyalty docs --config $(CONFIG)

lock: $(READY)  ## resolve the dependencies anew
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --all-extras pyproject.toml -o requirements.lock

test-lts: .venv-lts/.ready  ## the tests on DuckDB's long-term line
	@.venv-lts/bin/pytest -n auto --maxprocesses 4 --dist loadfile

clean:  ## remove what was installed and what runs left
	rm -rf .venv .venv-lts .loyalty

$(READY): requirements.lock pyproject.toml
	@echo "Setting up .venv (once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV="$(abspath .venv)" $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@VIRTUAL_ENV="$(abspath .venv)" $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

.venv-lts/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -m venv .venv-lts
	@.venv-lts/bin/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV="$(abspath .venv-lts)" .venv-lts/bin/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@VIRTUAL_ENV="$(abspath .venv-lts)" .venv-lts/bin/uv pip install --quiet "duckdb>=1.5.5,<2"
	@VIRTUAL_ENV="$(abspath .venv-lts)" .venv-lts/bin/uv pip install --quiet --no-deps --editable .
	@touch $@
