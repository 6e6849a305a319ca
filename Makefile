# What a user and a contributor type. Everything lives in .venv; nothing is installed into the system.
VENV ?= .venv
BIN := $(VENV)/bin
TOOLS := build/tools
CLIENT := build/client-generator
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PACKAGES := api deploy processor schemas
SOURCES := $(wildcard $(PACKAGES) tests bench docs)
NODE_TOOLS := node_modules/.package-lock.json
COMPILED := $(wildcard processor/native/*.pyx processor/native/*.pxd)
# The newest Python there is that is new enough; PYTHON=… on the command line names another.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	command -v $$python >/dev/null && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

# Where the environment forbids bytecode (images of Python do), each process would compile floorcast anew at its start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install dev demo test test-board floors hard backfills fuzz fuzz-bodies sanitize image digests upgrade faults faults-table check check-style check-types check-types-macos check-imports check-board format bench soak lock clean

help:
	@echo "make install   set up $(VENV)"
	@echo "make demo      everything on this machine, with a simulated CRM; CRM=hubspot or salesforce: over a fake of that"
	@echo "make test      all tests; this and what follows first installs what only developers need"
	@echo "make floors    a day of a floor over a fake of each CRM, against a recount of it; FLOOR_RECORDS=2000"
	@echo "make hard      every metric of 20,000 events of all kinds against a recount; HARD_EVENTS=4000"
	@echo "make backfills  as real processes: killed half-way, and of 100,000 records; a quarter of an hour"
	@echo "make fuzz-bodies  BODIES=100000 wrong bodies of each kind of CRM"
	@echo "make fuzz      whatever reads bytes from outside, on bytes nobody foresaw; SECONDS=600 for longer"
	@echo "make sanitize  what is compiled, under AddressSanitizer and UBSan"
	@echo "make image     the image of deploy/Dockerfile, built without Docker, started, and posted to"
	@echo "make upgrade   FROM=COMMIT: that version and this one side by side, there and back, against a recount"
	@echo "make digests   pin the images of others by digest; asks a registry through skopeo or docker"
	@echo "make faults    every fault, with figures: an hour; ROUNDS=\"kill-worker freeze\" for some of them"
	@echo "make check     lint, format, types, import rules"
	@echo "make bench     the benchmark"

install: $(VENV)/installed

# The marker of each is written last, so an interrupted installation is done again.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found: name one with PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the venv module: on Debian and Ubuntu apt install python3-venv has it" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# What builds is nothing that runs: it lies beside the environment, and comes by its hashes too.
$(TOOLS)/installed: requirements-build.lock | $(BIN)/python
	rm -rf $(TOOLS)
	$(PIP) install --require-hashes --target $(TOOLS) -r requirements-build.lock
	@touch $@

$(VENV)/installed: requirements.lock pyproject.toml $(COMPILED) | $(BIN)/python $(TOOLS)/installed
	$(PIP) install --require-hashes -r requirements.lock
	@# setuptools warns of its own new table for what is compiled, and of editing in place.
	PYTHONPATH=$(TOOLS) PYTHONWARNINGS=ignore $(PIP) install --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@$(BIN)/python -c 'from processor.native import COMPILED, STATE; COMPILED or print(f"the inner loops are {STATE}: floorcast runs as well, at a fifth of the speed. A C compiler and the headers of Python make the difference: on Debian and Ubuntu apt install gcc libc6-dev python3-dev has them, then make clean install")'
	@touch $@

# Everything that the targets below need beside what runs. Its lock has that too, so both agree. Only what is imported of
# it is compiled, when it is: of most of it nothing ever is. uv does it in seconds; where it finds no index pip may.
dev: $(VENV)/developing $(CLIENT)/installed

$(VENV)/developing: requirements-dev.lock | install
	awk '/^[^ ]/ { is_uv = /^uv==/ } is_uv' requirements-dev.lock > $(TOOLS)/uv.lock
	$(PIP) install --no-compile --require-hashes -r $(TOOLS)/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock \
		|| $(PIP) install --no-compile --require-hashes -r requirements-dev.lock
	@touch $@

# What makes clients of the api's description wants older libraries than we use: it lies beside the environment.
$(CLIENT)/installed: requirements-client.lock | $(BIN)/python
	rm -rf $(CLIENT)
	$(PIP) install --no-compile --require-hashes --target $(CLIENT) -r requirements-client.lock
	@touch $@

# CRM=hubspot, CRM=salesforce: over a fake of that CRM, which tells floorcast of its work as the vendor would.
demo: install
	@exec $(BIN)/$(if $(CRM),python -m tests.fakes.demo $(CRM),floorcast demo)

# Three at a time on two cores: more than half of a test's time is waiting for processes. A module stays with one of
# them, so what serves it is started once. The order is that of tests/conftest.py.
test: install dev $(NODE_TOOLS)
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder
	@$(MAKE) --no-print-directory test-board

# A floor over each fake CRM, as large as a day's. A short form of it is among the tests.
FLOOR_RECORDS ?= 2000
floors: install dev
	FLOOR_RECORDS=$(FLOOR_RECORDS) $(BIN)/python -m pytest tests/deploy/lookups/test_floors.py

# Every metric, segment and comparison, and a user's own that are hard to count, of events of all kinds on a running
# floorcast: shuffled, twice, after kill -9, after a change of metrics.yaml under load. A short form is among the tests.
HARD_EVENTS ?= 20000
hard: install dev
	HARD_EVENTS=$(HARD_EVENTS) $(BIN)/python -m pytest tests/integration/test_hard_metrics.py

# Back-fills as real processes, each with a Kafka of its own: killed half-way, and a large one at the vendor's limit.
# BACKFILLS=hubspot, salesforce or large: that one alone.
backfills: install dev
	$(BIN)/python -m tests.backfills $(BACKFILLS)

# Reproduced by the seed that it prints. A short form of it is among the tests.
SECONDS ?= 60
BODIES ?= 100000
fuzz-bodies: install dev
	$(BIN)/python -m tests.fuzz.mutated --bodies $(BODIES)

fuzz: install dev
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

# A short form of it (SANITIZE=--short) is part of CI.
sanitize: install dev
	$(BIN)/python -m tests.sanitize $(SANITIZE)

# Asks the registry and changes files; `python -m deploy.digests --check` only looks.
digests: install
	$(BIN)/python -m deploy.digests

# Without Docker: Debian's buildah follows deploy/Dockerfile, on a base of Debian's packages. Wants root. No part of CI: it
# makes that base, installs every library and compiles all anew, for minutes; what CI can see of the Dockerfile without
# building it the tests look at.
image: install dev
	$(BIN)/python -m tests.image

# Needs the history: FROM is a commit or tag of it.
upgrade: install dev
	$(BIN)/python -m tests.upgrade --from $(FROM)

# Goes on after a round that fails. The figures lie in build/faults.json; faults-table puts them into the docs.
faults: install dev
	$(BIN)/python -m tests.faults $(ROUNDS)

faults-table: install dev
	$(BIN)/python -m tests.faults --table

# Each by itself, so that `make -j2 check` has two of them at a time.
check: check-style check-types check-types-macos check-imports check-board

check-style: install dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

check-types: install dev
	$(BIN)/mypy

# What only Linux has stands in processor/machine.py; a cache of its own, or each would throw the other one away. Tests
# run on Linux alone.
check-types-macos: install dev
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin $(PACKAGES:%=--package %)

check-imports: install dev
	$(BIN)/lint-imports

# The wallboard's modules: types, rules, and what can be tried without a browser. Nothing of Node is served.
check-board: $(NODE_TOOLS)
	node_modules/.bin/tsc --project tsconfig.json
	node_modules/.bin/eslint api/static tests/api/static eslint.config.js

test-board: $(NODE_TOOLS)
	node --test tests/api/static/*.test.js

$(NODE_TOOLS): package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Node 18.18 or newer with npm is needed to check the wallboard: on Debian and Ubuntu apt install nodejs npm has them" >&2; exit 2; }
	@node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(Number(major < 18 || (major === 18 && minor < 18)))' || { echo "Node 18.18 or newer is needed to check the wallboard, and $$(command -v node) is $$(node --version)" >&2; exit 2; }
	npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

format: install dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Eight hours of a wallboard, in a page whose clock runs ahead, and of an api: some minutes. HOURS=24 is a day.
soak: install dev
	SOAK_HOURS=$(or $(HOURS),8) $(BIN)/pytest -s tests/api/board/test_soak.py tests/api/test_soak.py

bench: install dev
	$(BIN)/python -m bench

# What pyproject.toml asks for, as exact versions with hashes. What is locked stays as it is unless UPGRADE=1.
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	$(if $(UPGRADE),--upgrade)

lock: install dev
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --group build -o requirements-build.lock
	$(COMPILE) --group client -o requirements-client.lock

clean:
	rm -f $(VENV)/installed $(VENV)/developing processor/native/*.c processor/native/*.so
	rm -rf node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
