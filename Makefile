# make demo   set up .venv and run the demo into demo/
# make test   set up .venv with the test extra and run every check
# make clean  remove .venv, the demo and what the tools leave behind

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# CPU builds of PyTorch. Where this index is out of reach pip warns and takes the wheel it can find.
CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: demo test clean
.DELETE_ON_ERROR:

demo: $(VENV)/.package
	$(BIN)/pellucid demo --out demo

# Three tests at a time with one thread each: on two cores the third works while others wait for processes and files. One
# worker has all of a file, for its tests share what takes long to make.
test: export OMP_NUM_THREADS = 1
test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --doctest-modules tests src

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Pellucid needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Name another one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# PyTorch first and alone, because only it may come from the extra index.
$(VENV)/.torch: $(VENV)/.python constraints.txt
	@echo "Installing PyTorch (about 200 MB) ..."
	$(PIP) --retries 0 --extra-index-url $(CPU_INDEX) -c constraints.txt torch
	@touch $@

$(VENV)/.package: $(VENV)/.torch pyproject.toml constraints.txt
	@echo "Installing Pellucid ..."
	$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.package pyproject.toml constraints.txt
	@echo "Installing the test tools ..."
	$(PIP) -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
