# The whole interface for a newcomer: `make demo` flies a swarm, `make test` runs every check.
# Both set up what they need in .venv, once; a change of pyproject.toml or constraints.txt sets it up anew.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.10 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' \
	2>/dev/null && echo $$p && break; done)
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-long soak lint train profile verify check-python clean

demo: $(VENV)/.installed-run
	$(BIN)/swarm demo

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -m "not long"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m long

soak: $(VENV)/.installed-run
	$(BIN)/swarm bench chaos --duration 600

train: $(VENV)/.installed-build
	$(BIN)/python -m models.build.recipe all

profile: $(VENV)/.installed-build
	$(BIN)/python -m models.build.recipe profile

verify: $(VENV)/.installed-zoo
	$(BIN)/swarm models verify detector --all-cuts
	$(BIN)/swarm models verify segmenter --all-cuts
	$(BIN)/python -m models.build.zoo

$(VENV)/.installed-run: pyproject.toml constraints.txt | check-python
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[sim,planner]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-run
	$(INSTALL) -e '.[dev]'
	touch $@

$(VENV)/.installed-build: $(VENV)/.installed-run
	$(INSTALL) -e '.[build]'
	touch $@

$(VENV)/.installed-zoo: $(VENV)/.installed-run
	$(INSTALL) -e '.[zoo]'
	touch $@

check-python:
	@test -n "$(PYTHON)" || { echo "The simulator (PyBullet) has wheels for Python 3.10 and 3.11 only: \
	install one of these, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .hypothesis *.egg-info
