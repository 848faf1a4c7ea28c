# `make help` lists the targets. The virtual environment .venv is made on first use
# and renewed when the requirements change. PYTHON=python3.12 picks another Python.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= -n 2

DEMO_METHODS ?= cam dgdm
DEMO_DIR ?= work_dirs/demo

PY := $(VENV)/bin/python
# The stamp carries everything that the installation depends on, this folder
# included: an editable installation points at it.
INSTALL_INPUTS := setup.py mmdgdm/version.py $(wildcard requirements/*.txt)
INSTALL_HASH := $(shell { pwd; cat $(INSTALL_INPUTS); } | cksum | cut -d ' ' -f 1)
STAMP := $(VENV)/.installed-$(INSTALL_HASH)

.DEFAULT_GOAL := help
.PHONY: help install lint test test-faults demo docs clean check-python
.DELETE_ON_ERROR:

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

install: $(STAMP)  ## Make or renew the virtual environment

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || { \
	  echo "error: $(PYTHON) is missing or older than Python 3.9;" \
	    "name another one, for example: make PYTHON=python3.11" >&2; exit 1; }

$(PY):
	@$(MAKE) --no-print-directory check-python
	@echo "==> Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): | $(PY)
	@echo "==> Installing mmdgdm and its requirements into $(VENV) (minutes on first use)"
	@rm -f $(VENV)/.installed-*
	@pins=$$($(PY) -c 'import sys; print("requirements/constraints-%d.%d.txt" % sys.version_info[:2])'); \
	test -f $$pins || { pins=/dev/null; \
	  echo "==> No releases are pinned for this Python: taking the newest that fit"; }; \
	$(PY) -m pip install --quiet -c $$pins -e '.[lite,pretrained,dev]'
	@touch $@

lint: $(STAMP)  ## Check style and types
	@echo "==> ruff check"
	@$(PY) -m ruff check .
	@echo "==> ruff format --check"
	@$(PY) -m ruff format --check .
	@echo "==> mypy"
	@$(PY) -m mypy

test: lint  ## Check style and types, then run all tests
	@echo "==> pytest $(PYTEST_ARGS)"
	@$(PY) -m pytest $(PYTEST_ARGS)

test-faults: $(STAMP)  ## Provoke every fault of docs/what_it_survives.md
	@echo "==> pytest -m faults --long $(PYTEST_ARGS)"
	@$(PY) -m pytest -m faults --long $(PYTEST_ARGS)

demo: $(STAMP)  ## Train, test and draw CAM and DGDM on drawn images, in minutes on a CPU
	@set -e; for method in $(DEMO_METHODS); do \
	  config=configs/$$method/$${method}_resnet18_1xb32-12e_toy.py; \
	  out=$(DEMO_DIR)/$$method; \
	  echo "==> Training $$config"; \
	  $(PY) tools/train.py $$config --work-dir $$out; \
	  echo "==> Testing the last checkpoint"; \
	  $(PY) tools/test.py $$config "$$(cat $$out/last_checkpoint)" \
	    --work-dir $$out/test --out $$out/results.json --show-dir $$out/pictures --show-num 60; \
	done
	@echo "==> Side by side"
	@$(PY) demo/compare.py $(addprefix $(DEMO_DIR)/,$(DEMO_METHODS)) \
	  --sheet $(DEMO_DIR)/side_by_side.jpg \
	  --config configs/cam/cam_resnet18_1xb32-12e_toy.py
	@$(PY) tools/report.py $(foreach method,$(DEMO_METHODS),$(DEMO_DIR)/$(method)/results.json) \
	  --title "Drawn images: $(DEMO_METHODS)" --out $(DEMO_DIR)/report.html
	@echo "==> Open $(DEMO_DIR)/report.html"

docs: $(STAMP)  ## Build the documentation site; a warning is an error
	@echo "==> sphinx"
	@$(PY) -m sphinx -b html -q -W --keep-going docs docs/_build/html
	@echo "==> Open docs/_build/html/index.html"

clean:  ## Remove what builds, checks and the demo left, not .venv
	@echo "==> Removing build folders, caches and $(DEMO_DIR)"
	@rm -rf build dist docs/_build docs/api .mypy_cache .pytest_cache .ruff_cache .hypothesis $(DEMO_DIR)
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
