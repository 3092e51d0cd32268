# Every target works alone on a fresh clone: it makes the virtual environment from the lock first.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := PYTHONPATH=layers/spillway/src:. $(BIN)/python
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1
# Where nothing compiled is kept, each process of the tests compiles what it imports: half of its start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo sandbox test check bench bench-gateway clients bench-policy bench-policy-cases prove calls findings build lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	awk '/^uv==/{on=1} on{print} on&&!/\\$$/{exit}' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r $(VENV)/uv.lock
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $@

demo: setup
	$(RUN) -m tests.sandbox.demo

sandbox: setup
	$(RUN) -m tests.sandbox

# Three files at a time, those first that wait most for the sandbox's time: the others fill what they leave of two cores.
test: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/cfn-lint template.yaml
	$(BIN)/sam validate --lint
	$(MAKE) test

bench: setup
	$(RUN) -m tests.bench

# Installs the other gateways into a temporary folder when they are missing; see docs/benchmarks.md.
bench-gateway: setup
	$(RUN) -m tests.bench.gateway

# Over the public traces in SPILLWAY_DATA (default ../shared/data); takes minutes on two processors.
bench-policy: setup
	$(RUN) -m tests.bench.policy

# The same for ladders, imported models, and deployments without a spill target; EVERY=4 takes a fourth of the traces.
bench-policy-cases: setup
	$(RUN) -m tests.bench.policy_cases

# One table of scenarios with several clients, on every path in every state; installs what is missing into a temporary folder.
clients: setup
	$(RUN) -m tests.clients

# Independent judges, installed from package indexes into .prove; docs/contributing.md says what each holds.
# JUDGES="template openapi" runs these alone, SAMPLE=1 looks at less.
prove: setup
	$(RUN) -m tests.prove $(if $(SAMPLE),--sample) $(JUDGES)

# Which AWS calls the suite makes, with what parameters and by which permissions: tests/fixtures/aws_calls.json anew.
calls: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --record-aws-calls=anew

# What real libraries do that one would have guessed otherwise; no part of the gate, since it needs a package index.
findings:
	@failed=0; for script in findings/*.sh; do \
	  if seen=$$(PYTHON="$(PYTHON)" bash "$$script" 2>&1); then echo "holds      $$script"; \
	  else failed=1; echo "no longer  $$script"; echo "$$seen" >&2; fi; \
	done; exit $$failed

build: setup
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/sam build

# Both locks, without any registry's address. The layer's is for the Lambda runtime, the root's for Python 3.11 and later.
lock: setup
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.13 --python-platform aarch64-manylinux_2_28 pyproject.toml -o layers/dependencies/requirements.txt

clean:
	rm -rf .aws-sam .prove .sandbox $(VENV)
