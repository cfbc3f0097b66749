# The whole interface for a newcomer: `make demo` flies a swarm, `make test` runs every check.
# Both set up what they need in .venv, once; another Python, pyproject.toml or constraints.txt sets it up anew.

VENV := .venv
BIN := $(VENV)/bin
SUPPORTED := (3, 10) <= sys.version_info[:2] <= (3, 13)
JOBS ?= 2

# Python keeps what it has compiled, as usual, even where a shell says otherwise: the tests start many processes.
export PYTHONDONTWRITEBYTECODE :=

# The Python of the environment that is there, else the first one that this project supports.
ifndef PYTHON
PYTHON := $(shell for p in $(if $(wildcard $(VENV)/.python-*),$(BIN)/python) \
	python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not $(SUPPORTED))' >/dev/null 2>&1 && echo $$p && break; done)
endif
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

# pip's own words go to a file; when it fails, one sentence says which package could not be had.
define install
	@echo "installing $(2) into $(VENV), for about a minute" >&2
	@$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[$(1)]' >$(VENV)/install.log 2>&1 || { \
		missing=$$(sed -nE 's/^ *(ERROR: No matching distribution found for|The user requested \(constraint\)) ([^ ]+).*/\2/p' \
			$(VENV)/install.log | head -n 1); \
		error=$$(sed -nE 's/^ *ERROR: //p' $(VENV)/install.log | head -n 1); \
		test -z "$$missing" || error="no such version can be had; is there a network?"; \
		echo "Cannot install $${missing:-this project}: $${error:-pip failed} (all that pip said is in $(VENV)/install.log)" >&2; \
		exit 1; }
	@touch $@
endef
comma := ,

.PHONY: board-arm64 gpu demo paper test test-long planted soak lint docs wheel train profile verify check-python clean
.NOTPARALLEL:

demo: $(VENV)/.installed-run
	$(BIN)/swarm demo

paper: $(VENV)/.installed-run
	$(BIN)/swarm experiment run paper --rerun --resume

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/pyright --threads 2
	$(BIN)/lint-imports

test-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m long

planted: $(VENV)/.installed-dev
	$(BIN)/python -m tests.virtual.explore.planted --jobs $(JOBS)

soak: $(VENV)/.installed-run
	$(BIN)/swarm bench chaos --duration 600

board-arm64: $(VENV)/.installed-run
	$(BIN)/swarm bench board-arm64

gpu: $(VENV)/.installed-run
	$(BIN)/swarm bench gpu

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/make.py
	$(BIN)/python docs/make_map.py

wheel: $(VENV)/.installed-dev
	rm -rf build
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

train: $(VENV)/.installed-build
	$(BIN)/python -m models.build.train.recipe all

profile: $(VENV)/.installed-build
	$(BIN)/python -m models.build.train.recipe profile

verify: $(VENV)/.installed-zoo
	$(BIN)/swarm models verify detector --all-cuts
	$(BIN)/swarm models verify segmenter --all-cuts
	$(BIN)/python -m models.build.zoo.zoo

$(VENV)/.python-$(VERSION): | check-python
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed-run: pyproject.toml constraints.txt $(VENV)/.python-$(VERSION) | check-python
	$(call install,sim$(comma)planner,the runtime and its simulator)

$(VENV)/.installed-dev: $(VENV)/.installed-run
	$(call install,dev,what the checks need)

$(VENV)/.installed-build: $(VENV)/.installed-run
	$(call install,build,what builds models)

$(VENV)/.installed-zoo: $(VENV)/.installed-run
	$(call install,zoo,the networks of others)

check-python:
	@test -n "$(PYTHON)" || { echo "There is no Python 3.10 to 3.13 here (python3 is" \
		"$$(python3 --version 2>/dev/null || echo absent)): install one, or name it:" \
		"make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not $(SUPPORTED))' 2>/dev/null || { \
		echo "$(PYTHON) is $$("$(PYTHON)" --version 2>/dev/null || echo absent);" \
			"this project needs Python 3.10 to 3.13" >&2; exit 2; }
	@test -e $(VENV)/.python-$(VERSION) || "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: apt install python$(VERSION)-venv" >&2; exit 2; }
	@test -w . || { echo "The folder $(CURDIR) cannot be written: copy the checkout to one that can" >&2; exit 2; }

clean:
	rm -rf $(VENV) dist build runs .pytest_cache .ruff_cache .hypothesis *.egg-info
