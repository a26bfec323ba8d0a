# osteotrace: `make help` lists what can be made. Two commands matter to a new user:
# `make demo` and `make test`; each makes the environment in .venv first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Any Python from 3.11 on: `make setup PYTHON=python3.12`.
PYTHON ?= python3
BIN := .venv/bin
# The first file of the environment to exist and the last one to be touched.
READY := .venv/ready
# A screen for the viewer's benchmark, which opens two windows beside each other.
XVFB := xvfb-run -a -s "-screen 0 3840x1080x24"

.PHONY: help setup demo test check format pictures bench samples constraints clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY) ## the environment in .venv, under constraints.txt

$(READY): pyproject.toml constraints.txt scripts/make_environment
	scripts/make_environment "$(PYTHON)" .venv
	touch $@

demo: $(READY) ## write the sample cases, measure them, save SR, table and picture
	scripts/demo

test: $(READY) ## all checks and the default tests, the plugin's under Xvfb
	scripts/system_packages
	# Types are one core's work: on the other one the tests are compiled meanwhile.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --collect-only -qq \
	  -p no:cacheprovider tests >/dev/null 2>&1 & collected=$$!; \
	  $(MAKE) --no-print-directory check; wait $$collected || true
	scripts/run_tests

check: $(READY) ## format, lint, types and layers, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY) ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pictures: $(READY) ## the pictures and the demo's output in the README, anew
	scripts/system_packages
	mkdir -p build
	scripts/demo > build/demo.txt
	$(BIN)/python docs/quote_demo.py build/demo.txt
	$(BIN)/python docs/make_lesion_picture.py
	$(BIN)/python docs/make_tutorial.py
	$(XVFB) $(BIN)/python docs/make_compare_picture.py

bench: $(READY) ## every figure in the README, beside the other readers
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	# One function of it is run: neither its weights nor what they need.
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target build/peers "TotalSegmentator>=2.18"
	for benchmark in benchmarks/*.py; do $(XVFB) $(BIN)/python "$$benchmark"; done

samples: $(READY) ## the committed sample cases in sample_dicom, anew
	rm -rf build/sample_dicom
	$(BIN)/osteotrace samples build/sample_dicom \
	    --case maxilla_after --case maxilla_before
	rm -rf sample_dicom
	mv build/sample_dicom sample_dicom

constraints: $(READY) ## constraints.txt from the versions in .venv
	sed -i '/^[^#]/d' constraints.txt
	$(BIN)/python -m pip freeze --all --exclude-editable \
	  | grep -viE '^(setuptools|wheel)==' | LC_ALL=C sort -f >> constraints.txt

clean: ## remove the environment, the demo and the caches
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
