# All tools live in .venv, or beside it where PYTHON or CONSTRAINTS is given. A stamp there says which
# extras are in it; when pyproject.toml or the constraints change, it is made again from nothing.

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
WORKERS ?= 2
WHEELS ?= wheels
ARGS ?=

VERSIONS := $(if $(CONSTRAINTS),$(CONSTRAINTS:constraints%.txt=%),-newest)
VENV := .venv$(patsubst %,-%,$(filter-out python3,$(notdir $(PYTHON))))$(VERSIONS)
BIN := $(VENV)/bin
CONSTRAIN := $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAIN)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help compare bench measure gpu test check lint format types docs wheel clean

help:  ## show this
	@echo "negsamp: a bare machine needs Python 3.11 or newer and make; the rest is installed in .venv."
	@echo
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## /{printf "  make %-8s  %s\n", $$1, $$2}' Makefile
	@echo
	@echo "Options, each with an example:"
	@echo "  ARGS='negsamp -k uniform'             what goes to the command behind compare or test"
	@echo "  PYTHON=python3.12                     the interpreter to build on"
	@echo "  CONSTRAINTS=constraints-lowest.txt    other versions of the dependencies; empty: the newest"
	@echo "  WORKERS=0                             how many processes run the tests; 0 for a debugger"
	@echo "  WHEELS=wheels                         a folder of more wheels for gpu, such as pytest's"

compare: $(VENV)/models.stamp  ## train one model with three samplers and compare them (ARGS=--help)
	$(BIN)/negsamp compare $(ARGS)

bench:  ## measure speed and memory beside references and peers (ARGS=--quick; ARGS=--list)
	@$(MAKE) --no-print-directory VENV=$(VENV)-bench measure

measure: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks $(ARGS)

gpu:  ## measure a wheel from dist on a CUDA GPU; fetches nothing (ARGS=--list)
	@ls dist/negsamp-*.whl > /dev/null 2>&1 || { \
	    echo "There is no wheel in dist. Where there is a network, \`make wheel\` builds it."; exit 2; }
	@rm -rf build/gpu
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
	    --target build/gpu dist/negsamp-*.whl $(wildcard $(WHEELS)/*.whl)
	PYTHONSAFEPATH=1 PYTHONPATH=build/gpu:. $(PYTHON) -m benchmarks.gpu $(ARGS)

test: $(VENV)/test.stamp  ## run the tests and the examples in the docstrings (ARGS=what to run)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: lint types docs wheel test  ## run all that CI runs

lint: $(VENV)/test.stamp  ## look for mistakes and for unformatted code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/test.stamp  ## format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/test.stamp  ## check the types
	$(BIN)/mypy

docs: $(VENV)/docs.stamp  ## build the pages, tutorials executed, into docs/_build/html
	rm -rf docs/api/generated
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "Built: docs/_build/html/index.html"

wheel: $(VENV)/test.stamp  ## build sdist and wheel, and try the wheel with NumPy alone
	rm -rf dist
	$(BIN)/python -m build --outdir dist > /dev/null
	$(BIN)/python tests/packaging/wheel_alone.py dist/*.whl $(CONSTRAIN)

clean:  ## remove the environment and all that was built
	rm -rf .venv* build dist docs/_build docs/api/generated .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/models.stamp: $(VENV)/python.stamp
	@echo "Installing negsamp with the reference models into $(VENV) (once, some minutes)"
	@$(INSTALL) -e '.[models,numba]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/python.stamp
	@echo "Installing negsamp with the reference models and the test tools into $(VENV) (once, some minutes)"
	@$(INSTALL) -e '.[models,numba,test]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/python.stamp benchmarks/peers.txt
	@echo "Installing negsamp and what it is measured against into $(VENV) (once, some minutes)"
	@$(INSTALL) -e '.[bench]'
	@grep -v '^#' benchmarks/peers.txt | while read -r peer; do \
	    $(INSTALL) "$$peer" || echo "Not installed: $$peer. The tables will name it as missing."; done
	@touch $@

$(VENV)/docs.stamp: $(VENV)/python.stamp
	@echo "Installing what builds the pages into $(VENV) (once)"
	@$(INSTALL) -e '.[docs]'
	@touch $@

$(VENV)/python.stamp: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "negsamp needs Python 3.11 or newer, and $(PYTHON) is not: name one, as in"; \
	    echo "    make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
