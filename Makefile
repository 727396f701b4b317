# `make demo` and `make test` are all that a fresh machine with Python 3.11+ and git needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test quick check options soak recipes benchmarks clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.installed ## train a network on real pictures of digits and open its report
	@$(BIN)/layerwise demo

test: $(VENV)/.installed-test check ## install what testing needs and run all tests
	$(BIN)/python -m pytest

quick: $(VENV)/.installed-test ## only the tests that take seconds
	$(BIN)/python -m pytest -m "not slow and not network" -x -q

check: $(VENV)/.installed-test ## style, types and the floors of the architecture
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports

options: $(VENV)/.installed ## write docs/guide/20-options.md from the configs
	$(BIN)/python docs/options.py

soak: $(VENV)/.installed-test ## kill a training at 1,000 random moments and compare the bits
	LAYERWISE_KILLS=1000 $(BIN)/python -m pytest tests/experiments/test_kills.py -q

recipes: $(VENV)/.installed ## run every recipe in full and print its figure
	$(BIN)/python -m layerwise.recipes

benchmarks: $(VENV)/.installed-test ## compare with the peers side by side (installs them)
	$(PIP) -e ".[benchmarks]"
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/dense.py
	$(BIN)/python benchmarks/neuron.py
	$(BIN)/python benchmarks/steps.py

clean: ## remove the environment; runs and data stay
	rm -rf $(VENV)

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || \
	  { echo "There is no $(PYTHON) here; install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Layerwise needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing Layerwise and PyTorch into $(VENV) (once; PyTorch is large) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@echo "Installing Layerwise with its test tools into $(VENV) (once; PyTorch is large) ..."
	$(PIP) -e ".[test]"
	@touch $@ $(VENV)/.installed
