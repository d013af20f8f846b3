# Everything a person runs here. Needs make and Python 3.11 or newer; the rest is installed into .venv.
# ARGS passes options on: make swarm ARGS="--players 50", make test ARGS="-k party -x".

.DEFAULT_GOAL := help
.PHONY: run test check bench soak soak-players fuzz fuzz-frames swarm e2e lock clean help

SHELL := /bin/sh

ARGS ?=
# Processes that share the tests, a file at a time, in order: the slow files come first, so that none is the last
# on its own. Many tests start servers, so more than two want a big machine.
WORKERS ?= 2
VENV := .venv
PY := $(VENV)/bin/python
# Quiet about what goes well; errors are printed. Build tools come from the lock too, hence no isolation.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip -qq --no-input
HAVE_PIP := $(PY) -c 'import pip' 2>/dev/null || $(PY) -m ensurepip >/dev/null
INSTALL := $(PIP) install --require-hashes
INSTALL_SELF := $(PIP) install --no-deps --no-build-isolation -e .

run: $(VENV)/run.stamp ## Start the server for development, with its identity provider
	@exec $(PY) -m server serve --dev $(ARGS)

test: $(VENV)/test.stamp ## Run every test
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/test.stamp ## Check format, lint, types and the direction of imports
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m pytest -q tests/test_architecture.py

bench: $(VENV)/test.stamp ## Measure CPU and memory beside other WebSocket servers
	@$(PY) -m tests.bench $(ARGS)

soak: $(VENV)/test.stamp ## Let hostile clients loose on a server for ten minutes (ARGS="--seconds 60")
	@$(PY) -m tests.fuzz.sockets $(ARGS)

soak-players: $(VENV)/test.stamp ## Send 2,000 players, not all of them honest, for half an hour (ARGS="--minutes 1")
	@$(PY) -m tests.soak $(ARGS)

fuzz: $(VENV)/test.stamp ## Change good identity tokens in every way for ten minutes (LOCKGATE_FUZZ_S=60)
	@LOCKGATE_FUZZ_S=$${LOCKGATE_FUZZ_S:-600} $(PY) -m pytest -s -o faulthandler_timeout=0 tests/fuzz $(ARGS)

fuzz-frames: $(VENV)/test.stamp ## Send random frames to a socket and the library for ten minutes (LOCKGATE_FUZZ_SEED=1)
	@LOCKGATE_FUZZ_S=$${LOCKGATE_FUZZ_S:-600} $(PY) -m pytest -s -o faulthandler_timeout=0 tests/fuzz/test_frames.py $(ARGS)

swarm: $(VENV)/run.stamp ## Send 300 players to a running server for half a minute; report in results/
	@$(PY) -m server swarm --players 300 --duration 20 --html results/swarm.html --json results/swarm.json $(ARGS)

e2e: $(VENV)/test.stamp ## Run the end-to-end tests only
	@$(PY) -m pytest tests/e2e $(ARGS)

# The Python that makes .venv. A name can be on the PATH and still not start (a shim of a version manager), so
# each is tried. Debian and Ubuntu keep ensurepip, which venv needs, in a package of its own.
$(PY):
	@for name in python3.13 python3.12 python3.11 python3; do \
	  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if $$name -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "Making $(VENV) with $$($$name --version)"; \
	    exec $$name -m venv --clear $(VENV); \
	  fi; \
	  lacking="$${lacking:-$$($$name -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')}"; \
	done; \
	if [ -n "$$lacking" ]; then \
	  [ "$$(id -u)" = 0 ] || sudo="sudo "; \
	  echo "Python's venv module is not complete. Install it with:  $${sudo}apt-get install -y $$lacking" >&2; \
	else \
	  echo "Lockgate needs Python 3.11 or newer; none was found as python3.13, python3.12, python3.11 or python3." >&2; \
	fi; \
	exit 1

# A stamp is younger than the lock it was installed from, so a second run asks pip nothing.
$(VENV)/run.stamp: requirements/run.txt pyproject.toml $(PY)
	@echo "Installing what the server needs (the first time takes a minute)"
	@$(HAVE_PIP)
	@$(INSTALL) -r requirements/run.txt
	@$(INSTALL_SELF)
	@touch $@

$(VENV)/test.stamp: requirements/test.txt pyproject.toml $(PY)
	@echo "Installing what the tests need (the first time takes two minutes)"
	@$(HAVE_PIP)
	@$(INSTALL) -r requirements/test.txt
	@$(INSTALL_SELF)
	@touch $@

# pip-tools writes what one Python resolves, so use the oldest supported: it needs the most packages. Only the
# main index is asked, so that every hash is one that others can get.
LOCK := $(VENV)/lock
COMPILE := PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= $(LOCK)/bin/pip-compile --quiet \
  --no-config --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --annotation-style=line \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --build-deps-for editable

lock: $(PY) ## Resolve the newest allowed requirements and write their hashes
	@$(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock needs a .venv of Python 3.11")'
	@$(PY) -m venv --clear $(LOCK)
	@$(LOCK)/bin/python -m pip -qq --no-input install pip-tools
	@$(COMPILE) --extra swarm -o requirements/run.txt pyproject.toml
	@$(COMPILE) --extra swarm --extra test -c requirements/run.txt -o requirements/test.txt pyproject.toml
	@sed -i.old '1i # Written by `make lock`; every file is checked by its hash.' requirements/run.txt requirements/test.txt
	@rm -rf $(LOCK) requirements/*.old

clean: ## Remove what make made; data/ stays, it holds accounts and keys
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist results tests/e2e/*/node_modules tests/bench/contenders/node/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
