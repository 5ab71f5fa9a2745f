# `make help` lists what there is. Everything runs from .venv, which is made from the lock file when that changed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
PYTHON_IN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
DISTRIBUTIONS := kit services/users services/bots services/staking gateway
SEEDS ?= 1-200
CODE := $(addsuffix /src,$(DISTRIBUTIONS)) deploy demo bench tests

.PHONY: help install up status demo test test-all simulate bench lint audit docs format lock clean

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## the virtual environment, from the lock file

$(INSTALLED): requirements/dev.txt deploy/install.sh $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
	@bash deploy/install.sh $(VENV)
	@touch $@

up: $(INSTALLED) ## store, services and gateway as processes; Ctrl-C stops them
	@exec $(PYTHON_IN) -m deploy.local up

status: $(INSTALLED) ## what runs here
	@$(PYTHON_IN) -m deploy.local status

demo: $(INSTALLED) ## the main job on real input, on the running platform or on one of its own
	@$(PYTHON_IN) -m demo

test: $(INSTALLED) ## the tests, without any store process
	@$(PYTHON_IN) -m deploy.testing quick

test-all: $(INSTALLED) ## test, and the simulation, the embedded store, the real engine (MONGODB_URL) and platform tests
	@$(PYTHON_IN) -m deploy.testing all

simulate: $(INSTALLED) ## the protocol from seeds: SEEDS=1-200, or one, step by step with TRACE=1; the usual way with CONTROL=1
	@PYTHONPATH=tests/support $(PYTHON_IN) -m simulation $(SEEDS) $(if $(TRACE),--trace) $(if $(CONTROL),--control)

bench: $(INSTALLED) ## the measured goals
	@$(PYTHON_IN) -m bench

lint: $(INSTALLED) ## style, types, layout, drift, the compose file
	@$(PYTHON_IN) -m deploy.lint

audit: $(INSTALLED) ## every reference of users, bots and staking, and the ledger; fails on an orphan
	@$(PYTHON_IN) -m deploy.audit

docs: $(INSTALLED) ## generated documents
	@$(PYTHON_IN) -m deploy.docs

format: $(INSTALLED) ## the formatter's changes
	@$(VENV)/bin/ruff check --fix $(CODE)
	@$(VENV)/bin/ruff format $(CODE)

lock: ## the lock files, with hashes and without an index address (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv (pip install uv)" >&2; exit 1; }
	@for name in base dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --output-file requirements/$$name.txt requirements/$$name.in; \
	done

clean: ## everything made here but the data
	@rm -rf $(VENV) .bench .reports .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . \( -name __pycache__ -o -name '*.egg-info' \) -type d -not -path './.data/*' -prune -exec rm -rf {} +
