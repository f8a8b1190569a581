# Everything a person or a machine does with a checkout. `make` alone says what there is.
#
# The tools live in .venv; three files there remember what is installed:
#   .made      the environment itself, with the folder it was made for
#   .runtime   the pinned packages that the server needs, and this checkout
#   .dev       those that the checks need as well
# Each is redone when what it was made from has changed. What is said about it goes to standard error.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# Which Python makes .venv: the first of these that is new enough, or the one you name (make demo PYTHON=python3.12).
PYTHON ?= python3
PYTHONS = $(PYTHON) $(if $(filter file,$(origin PYTHON)),python3.13 python3.12 python3.11)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Tests wait for servers and disks part of the time: two workers more than there are processors.
JOBS ?= $(shell python3 -c "import os; print((os.cpu_count() or 1) + 2)")
SELECTED :=

# What is passed on: make demo ARGS="--port 9000", make test ARGS="tests/store -x", make lock ARGS=--upgrade
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help demo test unit check formatted linted typed layered bench docs site pictures release lock format clean

help: ## Show this list
	@echo "make TARGET [ARGS=\"...\"] [PYTHON=python3.12]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime ## Serve simulated cars: prints an address, a token and lines to paste
	@CHARGEPORT_BY_MAKE=1 exec $(BIN)/chargeport demo $(ARGS)

test: $(VENV)/.dev ## Run the tests
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(SELECTED) $(ARGS)

unit: $(VENV)/.dev ## Run the tests that need no server, client or browser of their own: under a minute
	$(BIN)/pytest -n auto --dist worksteal -m "not service and not browser" $(ARGS)

check: SELECTED := -m "not long"
check: export HYPOTHESIS ?= brief
check: formatted linted typed layered test ## Format, lint, types, import layers, then the tests but for the longest, with half of their examples

formatted: $(VENV)/.dev
	$(BIN)/ruff format --check .

linted: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src/chargeport

typed: $(VENV)/.dev
	$(BIN)/mypy --strict

layered: $(VENV)/.dev
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev ## Run the benchmarks and write benchmarks/RESULTS.md (ARGS="--quick", or --only read)
	$(BIN)/python -m benchmarks $(ARGS)

site: $(VENV)/.dev ## Build the documentation into the package: the server shows it at /docs/guide
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir src/chargeport/site

docs: $(VENV)/.dev ## Write docs/reference from the code
	$(BIN)/python docs/generate.py

pictures: $(VENV)/.dev ## Take the pictures of the page (docs/pictures) and of the commands (tests/cli/pictures) again
	$(BIN)/python tests/cli/text_pictures.py >/dev/null
	PYTHONPATH=tests $(BIN)/python tests/dashboard/take_pictures.py $(ARGS)

format: $(VENV)/.dev ## Put the code into the project's format, mend what can be mended
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

release: $(VENV)/.dev ## Build sdist and wheel twice, check them, and run the demo of the wheel in an empty environment
	$(BIN)/python -m release $(ARGS)

lock: $(VENV)/.made ## Pin all packages again, with hashes (ARGS=--upgrade for newer ones)
	@[ -x $(BIN)/uv ] || $(PIP) install --quiet uv
	$(LOCK) $(ARGS) --output-file requirements/runtime.txt pyproject.toml requirements/build.in
	$(LOCK) $(ARGS) --output-file requirements/dev.txt pyproject.toml requirements/build.in requirements/dev.in

clean: ## Remove .venv and all that the tools left behind
	rm -rf $(VENV) build dist src/chargeport/site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# Scripts in .venv name the folder they were installed in, so a checkout that was moved or copied gets a new one; so does one
# whose Python was removed. A .venv that you made yourself is used as it is.
ifneq ($(shell [ -x $(BIN)/python ] && cat $(VENV)/.made 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.made
endif

$(VENV)/.made:
	@if [ ! -e $@ ] && $(BIN)/python -c '$(NEW_ENOUGH)' 2>/dev/null && $(PIP) --version >/dev/null 2>&1; then \
	  printf '%s\n' '$(CURDIR)' > $@; exit; \
	fi; \
	found=; for python in $(PYTHONS); do \
	  if "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Chargeport needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing):" \
	    "install one, or name it with make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found can't make a virtual environment yet: install its venv module" \
	    "(on Debian and Ubuntu: apt install $$(basename "$$found")-venv) and run make again." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)" >&2; \
	"$$found" -m venv --clear $(VENV) && printf '%s\n' '$(CURDIR)' > $@

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml $(VENV)/.made
	@echo "Installing the pinned packages; done again only when they change" >&2
	@$(PIP) install --quiet --require-hashes -r requirements/runtime.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml $(VENV)/.made
	@echo "Installing the pinned packages and the tools of the checks; done again only when they change" >&2
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $(VENV)/.runtime $@
