# Two commands for a fresh machine: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# One torch thread per process: two stall at barriers when a neighbour is busy.
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1

.PHONY: demo test proof check docs clean

demo: $(VENV)/installed
	$(BIN)/wellfit demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2

proof: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 -m proof

check: $(VENV)/installed-dev
	scripts/check

docs: $(VENV)/installed-dev
	$(BIN)/python scripts/findings_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "build/site/index.html"

clean:
	rm -rf $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[images]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@
