# One environment, two words for a newcomer: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINE := .venv-engine
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install run test check bench simulate storm mutants lock clean

help:
	@sed -n 's/^## //p' Makefile

## make install  the environment: .venv with every extra and the test tools, .venv-engine with the local AWS
install: $(VENV)/.ready $(ENGINE)/.ready

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The local AWS pins old releases of its own, so it never shares an environment with us.
$(ENGINE)/.ready: requirements/engine.txt
	test -x $(ENGINE)/bin/python || $(PYTHON) -m venv $(ENGINE)
	$(ENGINE)/bin/python -m pip install --quiet --require-hashes -r requirements/engine.txt
	touch $@

## make run      carries out the example on this machine and tells its story
run: $(VENV)/.ready
	$(BIN)/execution-agent run examples/renewal_reminder.json

## make test     every test, on memory, SQLite and two local engines of DynamoDB
test: install
	$(BIN)/python -m pytest -n 2 --dist loadgroup

## make check    format, lint, types and import rules first, then every test
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadgroup --deselect tests/docs/test_code.py

## make bench    latency, throughput, store units, cold start, memory and growth, beside a bare floor
bench: install
	$(BIN)/python -m bench

## make simulate 20,000 seeds of the whole agent in one event loop: every fault, every promise
simulate: $(VENV)/.ready
	$(BIN)/python -m tests.simulation --seeds 20000 --actions 30 --workers 3 --processes 2

## make storm    20,000 kills of real processes, on SQLite and on DynamoDB: the matrix of what became of each
storm: install
	$(BIN)/python -m tests.storm --kills 20000 --minutes 10

## make mutants  bugs planted in the recovery rules, and what notices each
mutants: $(VENV)/.ready
	$(BIN)/python -m tests.simulation.mutants

## make lock     pins every dependency with its hashes (needs uv)
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras --group test --group check --group build pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra aws pyproject.toml -o requirements/lambda.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/engine.in -o requirements/engine.txt

clean:
	rm -rf $(VENV) $(ENGINE) .execution-agent .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
