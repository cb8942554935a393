# One environment, two words for a newcomer: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINE := .venv-engine
INFRA := .venv-infra
WHEELS := dist/wheels
# What functions run on: x86_64 or arm64. Further parameters of infra/template.yaml go to PARAMETERS.
ARCHITECTURE ?= x86_64
PARAMETERS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests and benchmarks start hundreds of processes: without compiled files, each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install environments run test check bench bench-export bench-replay bench-verify e2e cost local-aws simulate storm mutants tamper conformance guard package deploy lint-infra lock clean

help:
	@sed -n 's/^## //p' Makefile

## make install  .venv with every extra and the test tools, .venv-engine with the local AWS, .venv-infra with a linter
install:
	@$(MAKE) --no-print-directory --jobs=3 environments

# Beside each other: none needs another, and each waits for the network most of its time.
environments: $(VENV)/.ready $(ENGINE)/.ready $(INFRA)/.ready $(WHEELS)/.ready

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The local AWS pins old releases of its own, so it never shares an environment with us.
$(ENGINE)/.ready: requirements/engine.txt
	test -x $(ENGINE)/bin/python || $(PYTHON) -m venv $(ENGINE)
	$(ENGINE)/bin/python -m pip install --quiet --no-compile --require-hashes -r requirements/engine.txt
	touch $@

# This one pins old releases, too, and many.
$(INFRA)/.ready: requirements/infra.txt
	test -x $(INFRA)/bin/python || $(PYTHON) -m venv $(INFRA)
	$(INFRA)/bin/python -m pip install --quiet --no-compile --require-hashes -r requirements/infra.txt
	touch $@

# What a package is made of, for Lambda and for this machine: with it, tests need no network.
$(WHEELS)/.ready: requirements/lambda.txt infra/package.py $(VENV)/.ready
	$(BIN)/python -c "from infra.package import wheels; from tests.lambda_runtime import THIS_ARCHITECTURE, THIS_PYTHON; wheels(); wheels(python=THIS_PYTHON, architecture=THIS_ARCHITECTURE)"
	touch $@

## make run      carries out the example on this machine and tells its story
run: $(VENV)/.ready
	$(BIN)/execution-agent run examples/renewal_reminder.json

## make test     every test, on memory, SQLite and two local engines of DynamoDB
test: install
	$(BIN)/python -m pytest -n 3 --dist loadgroup

## make check    format, lint, types and import rules first, then every test
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 3 --dist loadgroup --deselect tests/docs/test_code.py

## make bench    latency, throughput, store units, cold start, memory and growth, beside a bare floor
bench: install
	$(BIN)/python -m bench

## make bench-export  1,000,000 events exported in each format, and the memory that each takes
bench-export: install
	$(BIN)/python -m bench.export

## make bench-replay  100,000 actions replayed, and their rows made anew by a process that is killed 20 times
bench-replay: install
	$(BIN)/python -m bench.replay

## make bench-verify  a checkpoint of a ledger of 1,000,000 commits, and its verification
bench-verify: install
	$(BIN)/python -m bench.verify

## make e2e      the deployed agent on a local AWS: every door, every permission, deaths, a crowd of writers
e2e: install
	$(BIN)/python -m pytest tests/e2e --full

## make cost     what 1,000 actions cost on AWS: all that a deployed agent asks for is counted
cost: install
	$(BIN)/python -m bench.cost

## make local-aws  a local AWS with the agent deployed in it, until Ctrl-C
local-aws: $(VENV)/.ready $(ENGINE)/.ready
	@$(BIN)/python -m infra.local_aws

## make simulate 20,000 seeds of the whole agent in one event loop, and 10,000 workflows: every fault, every promise
simulate: $(VENV)/.ready
	$(BIN)/python -m tests.simulation --seeds 20000 --actions 30 --workers 3 --processes 2
	$(BIN)/python -m tests.simulation --seeds 2500 --actions 4 --workflows 4

## make storm    20,000 kills of real processes, on SQLite and on DynamoDB: the matrix of what became of each
storm: install
	$(BIN)/python -m tests.storm --kills 20000 --minutes 10

## make mutants  bugs planted in the recovery rules, and what notices each
mutants: $(VENV)/.ready
	$(BIN)/python -m tests.simulation.mutants

## make tamper   every bit of 1,000 stored events flipped, and every other attack: what a verification misses
tamper: $(VENV)/.ready
	$(BIN)/python -m tests.tamper

## make conformance  every action type before its provider: every status, every trouble, every promise
conformance: $(VENV)/.ready
	$(BIN)/python -m tests.contract.action_conformance --all

## make guard    100,000 spellings of addresses: the guard and the system's parsers agree
guard: $(VENV)/.ready
	$(BIN)/python -m tests.address_spellings

## make package  the functions' zip for AWS Lambda, the same bytes each time: dist/execution-agent.zip
package: $(VENV)/.ready
	$(BIN)/python -m infra.package --architecture $(ARCHITECTURE)

## make deploy   the package and infra/template.yaml to your AWS account (needs the SAM CLI and your credentials)
deploy:
	@command -v sam > /dev/null || { echo "make deploy needs the SAM CLI: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html" >&2; exit 1; }
	$(MAKE) package
	sam deploy --parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS)

## make lint-infra  the template alone: linters, permissions, alarms
lint-infra: install
	$(BIN)/python -m pytest tests/unit/infra

## make lock     pins every dependency with its hashes (needs uv)
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras --group test --group check --group build pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra audit --extra aws --extra salesforce --extra workflows pyproject.toml -o requirements/lambda.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/engine.in -o requirements/engine.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/infra.in -o requirements/infra.txt

clean:
	rm -rf $(VENV) $(ENGINE) $(INFRA) dist .execution-agent .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
