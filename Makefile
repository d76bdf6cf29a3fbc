# make demo    one model, every level, proven equal, and trained on real data
# make test    every test
# make lint    style and types
#
# Each creates the environment it needs in $(VENV) the first time, and again when
# pyproject.toml or constraints.txt has changed.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PROJECT := pyproject.toml constraints.txt
PYTEST_ARGS ?=

# One BLAS thread a test process: the processes themselves fill the machine.
TEST_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help demo test lint clean

help:
	@sed -n '1,/^$$/ s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.torch
	@echo "== 1/2  The multilayer perceptron at every level: the same weights, the same batch, the same numbers"
	$(BIN)/dlfs compare 02
	@echo
	@echo "== 2/2  Every level trained on 1,797 real handwritten digits, from the same weights on the same batches"
	$(BIN)/dlfs train 02 --level all --data digits

test: $(VENV)/.test
	@echo "== Testing. Tests on the real data sets run when DLFS_DATA names the folder that holds them."
	$(TEST_ENV) $(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# An environment with one of pyproject.toml's extras: .venv/.torch, .venv/.test, .venv/.dev
$(VENV)/.%: $(VENV)/bin/python $(PROJECT)
	@echo "== Installing what 'make $(MAKECMDGOALS)' needs into $(VENV) (the first time this downloads PyTorch: some minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "DLFS needs Python 3.11 or newer; none of python3, python3.11 … python3.14 is"; exit 1; }
	@echo "== Creating the environment $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
