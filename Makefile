# make demo   the shop from a checkout to a ticket, on this machine
# make test   everything that must hold
# The other targets are explained by `make help`. Each sets up what it needs (local/setup.py).

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# For the oldest Python that is supported; --universal adds what only newer ones need.
LOCK := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-header
export PYTHONUNBUFFERED := 1

.PHONY: help setup demo run test test-all test-built contract lint check sbom audit format unit workflow bench storm schedules mutants sale lock certificates build cost parameters picture clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: ## Make .venv, install what is pinned, install MariaDB by apt where it is missing
	@$(PYTHON) local/setup.py

demo: setup ## Show the shop at work; EVENT=path.json sends that envelope (AS_IS=1: unchanged)
	@exec $(BIN)/python -m local demo $(if $(EVENT),--event "$(EVENT)") $(if $(AS_IS),--as-is)

run: setup ## The shop in the foreground until Ctrl-C; FRESH=1 forgets all of before, RATE_LIMIT=1 bounds each client
	@exec $(BIN)/python -m local run $(if $(FRESH),--fresh) $(if $(RATE_LIMIT),--rate-limit)

test: setup ## Lint and all tests; what takes long and repeats in a small, chosen form
	@$(PYTHON) local/setup.py --browser
	$(BIN)/python -m tests --lint $(PYTEST_ARGS)

test-all: setup ## Lint and all tests in full size, with the branch coverage of functions/ measured (half an hour)
	@$(PYTHON) local/setup.py --browser
	$(BIN)/python -m tests --lint --all $(PYTEST_ARGS)

test-built: setup ## What ships: `sam build` with the functions' Python, each function invoked, and the workflow's tests, on that
	$(BIN)/python -m tests --built $(PYTEST_ARGS)

contract: setup ## Ask Stripe's test mode what we believe of it; STRIPE_SECRET_KEY=sk_test_…
	@exec $(BIN)/python -m tests.contract $(PYTEST_ARGS)

lint: setup ## ruff, mypy, import-linter, cfn-lint, the template as SAM reads it, the state machine's own lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@PYTHONPATH=functions:operations:. $(BIN)/lint-imports --no-cache
	$(BIN)/cfn-lint template.yaml deploy/*.yaml
	$(BIN)/python -m local.lint

check: setup ## The templates and the state machine by others' tools: cfn-lint, sam validate, ASL validators, checkov
	@$(BIN)/python -m tests.reference.check

sbom: setup ## List what ships as CycloneDX, in .local/sbom.cdx.json
	@$(BIN)/python -m tests.reference.supply_chain sbom

audit: setup ## What is known against the packages that ship, and when each was last released; needs a network
	@$(BIN)/python -m tests.reference.supply_chain audit

format: setup ## Put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Speed, as ratios against bare SQL in the same run; BEFORE=commit: beside that commit, in turns
	@exec $(BIN)/python -m tests.bench $(if $(BEFORE),--before "$(BEFORE)") $(SECTIONS)

storm: setup ## 1,000 orders while servers and workers are killed; SMALL=1 for a short one
	@exec $(BIN)/python -m tests.storm $(if $(SMALL),--small)

schedules: setup ## Every order of statements of two or three tasks at once, on a real MariaDB
	@exec $(BIN)/python -m tests.schedules $(SCHEDULES_ARGS)

mutants: setup ## Change rules a little, many times, and see that a test notices; PARTS="accept orders/holds" or PARTS=--all
	@exec $(BIN)/python -m tests.mutants $(PARTS)

sale: setup ## 1,000 seats, 5,000 buyers over HTTP of whom six in ten walk away, cards declined, bots; SMALL=1 for a short one
	@exec $(BIN)/python -m tests.sale $(if $(SMALL),--small)

lock: setup ## Pin the packages anew from pyproject.toml, with their hashes
	$(LOCK) --upgrade --output-file functions/requirements.txt pyproject.toml
	$(LOCK) --upgrade --universal --constraint functions/requirements.txt --extra operations --extra local --extra dev \
		--output-file tests/requirements.txt pyproject.toml

certificates: ## Fetch the CA bundle of Amazon RDS, before `sam build`
	mkdir -p functions/certificates
	curl --fail --silent --show-error --output functions/certificates/rds.pem \
		https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem

build: certificates ## What `sam deploy` sends: the CA bundle, sam build, and the bytecode of what is in it
	@$(PYTHON) local/build.py

cost: setup ## Compute docs/cost.md: dollars a month, and which limit is met first
	@$(BIN)/python -m local.cost

parameters: setup ## Write docs/parameters.md anew from template.yaml
	@$(BIN)/python -m local.parameter_table

picture: setup ## Draw docs/ticket_payment.svg anew from the state machine
	$(BIN)/python -m cachao.picture

clean: ## Remove what the targets above made, .venv included
	rm -rf .venv .local .aws-sam .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
