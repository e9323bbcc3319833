# Every task is one call of a tool; `make` alone lists them. Nothing is installed outside .venv, the cache and the cluster's state folder.
PYTHON  ?= python3
CLUSTER ?= demo
UV      ?= uv
BIN     := .venv/bin
PY      := $(BIN)/python
READY   := .venv/.installed
REPORT  := --junitxml=build/cluster.xml -o junit_duration_report=call
# Test files that speak of these marks: to import all the others takes three quarters of a collection, in each process.
REAL     = $(shell grep -rlE '\bmark\.(cluster|servers)\b' operator/tests cli/tests e2e --include='test_*.py')

# Tests start hundreds of Python processes: without byte code that is kept, each compiles all that it imports anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo screens test check lint unit e2e bench gen cluster install stack load down lock .venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## the tour: a cluster, the operator, and a service that is released and rolled back
	$(PY) -m e2e.demo

check: $(READY) ## run everything that needs no cluster: style, types, layers, generated files, unit tests; four to six minutes on two cores
	$(MAKE) --no-print-directory --jobs=2 lint unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PY) manifests/generate.py --check --no-helm

unit: $(READY)
	$(BIN)/pytest -n 3

# loadgroup hands out one test at a time to whoever is free, in the order of conftest.py: the longest first, as e2e/long_tests.toml knows
# them from the report of an earlier run.
test: check ## run check, and one case of every promise on a real cluster and real servers; about 40 minutes on two cores
	$(BIN)/pytest -n auto --dist loadgroup --no-loadscope-reorder -m "(cluster or servers) and not full" $(REPORT) $(REAL)

e2e: $(READY) ## run the whole of what check samples, then the promises at full size, on a cluster of their own
	HARDENED_WHOLE=1 $(BIN)/pytest -n 3 -m "(exhaustive or drawn) and not full"
	$(PY) -m e2e.run

bench: $(READY) ## measure the figures that the documentation quotes
	$(PY) -m e2e.bench

gen: $(READY) ## generate the files under charts/ and manifests/ that come from code
	$(PY) manifests/generate.py

screens: $(READY) ## draw the pictures of the documentation from recorded releases
	$(PY) -m e2e.screens

cluster: $(READY) ## bring up a local cluster: kind with Docker, otherwise built from source. CLUSTER=demo
	$(PY) -m e2e.cluster up --name $(CLUSTER)

install: $(READY) ## install the operator on the cluster of KUBECONFIG, otherwise on CLUSTER. IMAGE=… uses that image as it is; BACKUPS=1 loads theirs
	$(PY) -m e2e.install --name $(CLUSTER) $(if $(IMAGE),--image $(IMAGE)) $(if $(BACKUPS),--backups)

stack: $(READY) ## install an example stack of charts/stacks, images and operator included. STACK=bookmark-api CLUSTER=demo
	$(PY) -m e2e.stack $(or $(STACK),$(error say which: make stack STACK=bookmark-api)) --name $(CLUSTER)

load: $(READY) ## load an image onto the nodes of CLUSTER. IMAGE=name:tag
	$(PY) -m e2e.cluster load --name $(CLUSTER) $(or $(IMAGE),$(error say which image: make load IMAGE=name:tag))

down: $(READY) ## remove CLUSTER; nothing is left behind
	$(PY) -m e2e.cluster down --name $(CLUSTER)

# Versions at least a week old, so that a stolen release has been noticed. The image needs nothing that only the CLI imports.
# What tests run with is what the image ships; checkov pins old versions of much of it, and so has a lock and a venv of its own.
COMPILE = $(UV) pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 --exclude-newer '7 days' --custom-compile-command 'make lock'
lock: SHELL := /bin/bash
lock: ## the newest versions that fit into the lock files, by the program uv
	$(COMPILE) --extra operator --excludes <(printf 'pykube-ng\nrich\ntyper\n') pyproject.toml -o requirements-operator.lock
	printf 'hatchling\neditables\n' | $(COMPILE) --extra operator --group dev -c requirements-operator.lock --excludes <(echo checkov) pyproject.toml - -o requirements.lock
	echo 'checkov>=3.3' | $(COMPILE) - -o requirements-checkov.lock

.venv: $(READY) ## the virtual environment, from requirements.lock

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
