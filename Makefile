# A check whose output is cut must still fail.
SHELL := bash
.SHELLFLAGS := -o pipefail -c

# One environment, made on first use and again when what it is made from changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHARED ?= $(SLIMLINE_SHARED)

# Tests start some thousand processes, each of which would compile what it imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo serve faces fashion omniglot everything peers test test-containers test-slow browser-tests check bytecode bench faults faults-short reference bundle-lock techniques pictures screenshots install tools clean
.DEFAULT_GOAL := demo

install: $(VENV)/installed

# What tests and checks need besides; the demo does without.
tools: $(VENV)/tools

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "setting up $(VENV) (about two minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11"; echo "fix: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "error: $(PYTHON) cannot make a virtual environment"; echo "fix: apt-get install python3-venv"; exit 2; }
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e .
	@$(BIN)/python -m compileall -q components pipelines  # steps read bytecode and write none
	@touch $@

$(VENV)/tools: $(VENV)/installed
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[test,check]'
	@touch $@

demo: install
	$(BIN)/slimline run pipelines/examples/digits.yaml

# Its pages fill while one looks at them; PORT=8090 where 8080 is taken.
serve: $(VENV)/serve
	@$(BIN)/slimline serve --demo $(if $(PORT),--port $(PORT))

$(VENV)/serve: $(VENV)/installed
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[serve]'
	@touch $@

faces: install
	$(BIN)/slimline run pipelines/examples/faces.yaml --data $(or $(DATA),$(SHARED)/data/orl)

fashion: install
	$(BIN)/slimline run pipelines/examples/fashion.yaml --data $(or $(DATA),$(SHARED)/data/fashion_mnist)

# DATA is an .npz file with images and labels, or the published folder images_background.
omniglot: install
	$(BIN)/slimline run pipelines/examples/omniglot.yaml --data $(or $(DATA),$(SHARED)/data/omniglot/background.npz) \
		--seed $(or $(SEED),0) --output slimline-out/omniglot-$(or $(SEED),0)

# The same data; each technique once, on one small student.
everything: install
	$(BIN)/slimline run pipelines/examples/everything.yaml --data $(or $(DATA),$(SHARED)/data/omniglot/background.npz)

# Other tools on one model, each in an environment of its own below build/peers; about 3 hours, and no
# part of the tests. ONLY=nncf runs one part, STEPS=20 a trial of some minutes: docs/peers.md.
peers: tools
	@$(BIN)/python -m tests.benchmarks.peers --data $(or $(DATA),$(SHARED)/data) \
		$(if $(ONLY),--only $(ONLY)) $(if $(STEPS),--steps $(STEPS))

# Of the code as it is now: what the installation compiled is older.
bytecode: tools
	@$(BIN)/python -m compileall -q components pipelines tests

# By file, the long ones first: tests/conftest.py has the order.
SHARES := -n 2 --dist loadfile --no-loadscope-reorder

test: bytecode
	@$(BIN)/python -m pytest $(SHARES) -r fEs

# The images are built from the code at hand; IMAGES='--base NAME --network host' on closed networks.
# The largest takes one processor as long as the others take another.
test-containers: bytecode
	@$(BIN)/slimline images build train $(IMAGES) & train=$$!; \
		$(BIN)/slimline images build device light service $(IMAGES); others=$$?; wait $$train && exit $$others
	@$(BIN)/python -m pytest $(SHARES) --containers -m containers -r fEs $$(grep -rl mark.containers tests --include='test_*.py')

# Environments with other versions of Keras are made for it: it needs a package index, and long.
test-slow: bytecode
	@$(BIN)/python -m pytest --slow -m slow -r fEs

# Every page in Chromium (apt-get install chromium); a part of `make test` too, where it is installed.
browser-tests: bytecode
	@$(BIN)/python -m pytest tests/browser -r fEs

check: tools
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/pyright | tail -n 40

bench: tools
	@$(BIN)/python -m tests.benchmarks --json bench.json --page docs/benchmarks.md

# Kills, damage, failing calls, full disks, locks, closed pipes, two engines: SEED=7 repeats a run.
faults: bytecode
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED))

faults-short: bytecode
	@$(BIN)/python -m tests.faults --short $(if $(SEED),--seed $(SEED))

# Configuration and JSON documents, from the code; a test says when they are out of date.
reference: install
	@$(BIN)/python -m docs.reference

# Which packages of Debian go to devices without Python: of its signed list, as it is today.
bundle-lock: install
	@$(BIN)/python -m components.devices.remote.bundle

# The example everything must have run: its newest run is the table of docs/techniques.md.
techniques: install
	@$(BIN)/python -m docs.techniques slimline-store

# The faces example must have run: its newest run is what is drawn.
pictures: install
	@$(BIN)/python -m docs.pictures graph pipelines/examples/digits.yaml docs/graph.svg
	@$(BIN)/python -m docs.pictures pareto slimline-store docs/pareto.svg

# Of every page, from the demo, which is laid out in build/demo and takes some minutes the first time;
# in dark and in a narrow window below build/, to be looked at.
screenshots: tools
	@$(BIN)/python -m docs.screenshots docs/screenshots --others build/screenshots --demo build/demo

clean:
	rm -rf $(VENV) slimline-store slimline-out bench.json
