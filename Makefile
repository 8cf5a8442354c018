.DEFAULT_GOAL := help
SHELL := /bin/sh
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
PROJECTS = $(addsuffix /pyproject.toml,$(MEMBERS))
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),.tools/bin/uv)
RUN := .venv/bin/

# uv asks every python on PATH who it is, and a pyenv shim of an inactive version answers with an error:
# put the real interpreters first.
export PATH := $(subst $(eval) ,:,$(wildcard $(HOME)/.pyenv/versions/3.1[1-9]*/bin)):$(PATH)
unexport VIRTUAL_ENV

help:  ## this text
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# Using it

PORT ?= 8080
DATA ?= var

run: .venv/.runtime  ## everything in one process, on SQLite: PORT=8080 DATA=var
	@$(RUN)recado dev --port $(PORT) --data $(DATA)

run-kafka: servers  ## the same as separate processes on a local Kafka and Postgres
	@$(RUN)python -m tests.servers services --port $(PORT) --data $(DATA)/kafka

# Working on it

quick: install lint types contracts  ## what a change needs first, in under a minute
	@$(RUN)pytest -q -n 2 -m "not slow" tests/unit

check: lint types contracts test  ## everything that must hold before a change lands

# Tests mostly wait: three files at a time are not too many for two cores.
test: servers  ## all tests, on real servers; installs what is missing
	@$(RUN)python -m tests.servers run -- $(RUN)pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: install
	@$(RUN)ruff check .
	@$(RUN)ruff format --check .

types: install
	@$(RUN)basedpyright

contracts: install
	@$(RUN)lint-imports --no-logo

format: install  ## mend what ruff can mend
	@$(RUN)ruff check --fix .
	@$(RUN)ruff format .

RUNS ?= 20
SEED ?= 1
TRANSPORT ?= sqlite

faults: $(if $(filter kafka,$(TRANSPORT)),servers,install)  ## kill it again and again, and judge: RUNS=20 SEED=1 TRANSPORT=sqlite or kafka
	@$(RUN)python -m tests.faults --runs $(RUNS) --seed $(SEED) --transport $(TRANSPORT)

bench: servers  ## measure beside a baseline: BENCH=engine, gateway, jobs, memory or path, without it all
	@$(RUN)python -m tests.benchmarks $(BENCH)

# What builds a Dockerfile, what brings an archive's images into the cluster (as `kind load
# image-archive`), and what runs a command where the cluster is reached: `.ci/run` sets all three.
BUILDER ?= buildah bud --layers
LOAD ?=
INSIDE ?=

test-cluster: servers  ## the chart on the cluster of KUBECONFIG: BUILDER= LOAD= INSIDE=
	@$(RUN)python -m tests.cluster build --builder "$(BUILDER)" --load "$(LOAD)"
	@$(INSIDE) $(RUN)python -m tests.cluster prove

# Installing it

install: .venv/.installed  ## what runs and the development tools, in the exact versions of the locks

servers: install  ## what `make test` needs of the system: Postgres, Java, Kafka's jars, Chromium
	@$(RUN)python -m tests.servers install

# What is compiled: pins of members and extras, hashes, no addresses.
COMPILE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
    $(addprefix --no-emit-package ,recado $(addprefix recado-,$(filter-out recado,$(notdir $(MEMBERS))))) $(UPGRADE)

# What a benchmark compares us with; it installs them itself, each apart.
PEERS = $(basename $(wildcard tests/benchmarks/peers/*.in))

lock: $(UV)  ## bring the locks in line with the pyproject files; UPGRADE=--upgrade-package X for newer versions
	$(COMPILE) $(PROJECTS) -o requirements.lock
	$(COMPILE) -c requirements.lock --group dev -o requirements-dev.lock
	$(COMPILE) -c requirements-dev.lock deploy/build.in -o deploy/build.lock
	@for peer in $(PEERS); do $(COMPILE) $$peer.in -o $$peer.lock || exit 1; done

.venv/.runtime: $(UV) requirements.lock $(PROJECTS)
	@echo "Installing what Recado runs on into .venv (235 MB)"
	@test -x .venv/bin/python || $(UV) venv -q .venv
	@$(UV) pip install -q --require-hashes -r requirements.lock
	@$(UV) pip install -q --no-deps $(addprefix -e ,$(MEMBERS))
	@touch $@

.venv/.installed: .venv/.runtime requirements-dev.lock
	@echo "Installing the development tools into .venv"
	@$(UV) pip sync -q --require-hashes requirements.lock requirements-dev.lock
	@$(UV) pip install -q --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@touch $@

.tools/bin/uv:
	@echo "Installing uv $(UV_VERSION) into .tools"
	@python3 -m venv .tools && .tools/bin/python -m pip install -q uv==$(UV_VERSION) \
	    || python3 -m pip install -q --target .tools uv==$(UV_VERSION) \
	    || { rm -rf .tools; echo "uv is missing and could not be installed: install uv, or python3-venv, then try again" >&2; exit 1; }

.PHONY: help run run-kafka quick check test lint types contracts format faults bench test-cluster install servers lock
