# Every target makes what it needs: .venv, the packages, then the work. Nothing has to be activated or installed first.
#   make demo    watch backpropagation, then train on handwritten digits
#   make test    style, types and all tests
#   make check   style and types only
#   make stubs   write the type stubs of functions and methods anew, after one was added or changed
#   make bench   one training step beside torch, JAX and NumPy; options: make bench ARGS="--work xor mlp"
# Another Python: make demo PYTHON=python3.12

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

# The first Python on the path that is new enough; plain python3 if none is, so that the message below can name it.
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done; echo python3)
ARGS ?=

.PHONY: demo test check stubs bench clean
.NOTPARALLEL:
.DEFAULT_GOAL := demo

demo: $(VENV)/.with-data
	@$(BIN)/glassgrad demo $(ARGS)

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(VENV)/.with-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python tools/stubs.py --check
	$(BIN)/mypy

stubs: $(VENV)/.with-test
	$(BIN)/python tools/stubs.py

bench: $(VENV)/.with-peers
	$(BIN)/python benchmarks/step.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is newer than pyproject.toml exactly when that extra is installed as pyproject.toml asks.
$(VENV)/.with-%: pyproject.toml | $(BIN)/python
	@echo "Installing glassgrad[$*] into $(VENV) (the first time takes a minute or two) ..."
	@$(PIP) --editable '.[$*]'
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "glassgrad needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Install Python, or name one:" \
			"make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "glassgrad needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Install a newer one, or name it:" \
			"make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments: its venv module is not installed." \
			"On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) -V) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
