# make sweep | make test | make lint | make torch      (BUILD.md has the plain pip forms)

VENV ?= .venv
PYTHON ?= python3
CONSTRAINTS ?= -c requirements.txt
TORCH ?= torch==2.13.0
ARGS ?=
BIN := $(VENV)/bin

.PHONY: sweep test lint torch clean

# Pivot image on the built-in synthetic set; ARGS="--data=PATH --limit=500" and the like are passed on.
sweep: $(VENV)/.installed
	$(BIN)/python experiments/sweep.py --pivot=image $(ARGS)

test: $(VENV)/.installed-for-tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# PyTorch reads the seed study's .pt files and is the second opinion of some tests, which skip without it.
torch: $(VENV)/.installed
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install --quiet $(TORCH)

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/.installed: pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e .
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e ".[test,lint]"
	touch $@
