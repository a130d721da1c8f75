# Skyshard: `make demo` and `make test` each work alone, from a fresh clone with Python 3.11 and pip.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup myrocks postgresql demo test deep check lint docs pictures bench lock clean tools
BIN := .venv/bin
DEMO_OUT ?= demo-out
PYTEST_ARGS ?=
# So many processes run unit tests, and all tests (0: in pytest's own); the tests of one file run in one process. Each
# process with integration tests has a private cluster of its own. Files go in the order of tests/conftest.py, not those
# of most tests first.
CHECK_PROCESSES ?= 2
TEST_PROCESSES ?= 2
DEPTH ?= 12
IN_FILES := --dist loadfile --no-loadscope-reorder
# Tests start many processes: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv with the locked versions and provide MariaDB
	@tools/bootstrap.sh

myrocks: setup ## Try again to provide the storage engine MyRocks, where setup could not
	@tools/provide_myrocks.sh

postgresql: setup ## Provide PostgreSQL, an optional backend of visits (as root, Debian)
	@tools/provide_postgresql.sh

demo: setup ## The main job end to end on a private cluster; ends with the path of report.html
	@$(BIN)/skyshard demo --out $(DEMO_OUT)

pictures: demo ## The pictures of README and documentation anew, from a demo and the example; needs Chromium
	@$(BIN)/python tools/page_picture.py $(DEMO_OUT)/trial/report.html docs/images/report.png
	@$(BIN)/skyshard bench report docs/examples/kpm-50
	@$(BIN)/python tools/page_picture.py docs/examples/kpm-50/report.html docs/images/kpm-50.png --height 1500

tools: setup ## The commands that tests with several hosts need, where this is root and apt works
	@tools/provide_test_tools.sh

test: setup lint tools ## Everything that CI runs: linters, types, floors, all tests
	@tools/run_tests.sh $(IN_FILES) -n $(TEST_PROCESSES) $(PYTEST_ARGS)

deep: ## `test` with DEPTH (12) times as many drawn cases, statements, stops and kills; hours
	@SKYSHARD_TEST_DEPTH=$(DEPTH) SKYSHARD_FAULTS=all $(MAKE) test

check: setup lint ## The quick part of `test`: linters, types, floors, unit tests
	@$(BIN)/pytest $(IN_FILES) -n $(CHECK_PROCESSES) -m "not integration" $(PYTEST_ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## Run the benchmarks on small sizes
	@$(BIN)/python benchmarks/cluster.py --repeats 1
	@$(BIN)/python benchmarks/startup.py --repeats 3
	@$(BIN)/python benchmarks/locate.py --rows 200000 --repeats 2
	@$(BIN)/python benchmarks/synth.py --quick
	@$(BIN)/python benchmarks/ingest.py --quick
	@$(BIN)/python benchmarks/engines.py --quick
	@$(BIN)/python benchmarks/ingest_scaling.py --quick
	@$(BIN)/python benchmarks/query.py --quick
	@$(BIN)/python benchmarks/driver.py
	@$(BIN)/python benchmarks/beside_lsdb.py --rows 100000 --repeats 2

docs: setup ## Build the documentation into build/docs, offline; a warning is an error
	@PYTHONPATH=src $(BIN)/python -m sphinx -b html -W --keep-going -q -j auto -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

lock: setup ## Take newer versions into requirements.lock
	@tools/lock.sh

clean: ## Remove what make made, except results and clusters
	rm -rf .venv .mariadb .mariadb-plugins build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
