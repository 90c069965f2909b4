# Goalward. `make lab` opens the course; `make test` checks all of it. Each does its own set-up.
PYTHON ?= python3
BIN := .venv/bin
GOALWARD := $(BIN)/goalward
ROOT := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
# What `make lab` opens, and with which settings: no news, nothing changed by opening.
START ?= notebooks/index.md
LAB_SETTINGS := $(CURDIR)/lib/goalward/course/static/lab
export XLA_PYTHON_CLIENT_PREALLOCATE := false
# Compiled modules are kept: without them each kernel takes seconds longer to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup lab test book run claims assignments planted mutations pins vendor clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

setup: .venv/.lab ## make .venv with all that the chapters need
setup-%: .venv/.% ## the same with what else is needed: book, teach, bench, online, warp, test, cluster or cuda
	@:
lab: .venv/.lab ## open the course in JupyterLab
	-@$(GOALWARD) assignments study
	-@$(GOALWARD) gallery >/dev/null
	PATH="$(CURDIR)/$(BIN):$$PATH" JUPYTER_CONFIG_PATH="$(LAB_SETTINGS)$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
		$(BIN)/jupyter lab $(ROOT) --ServerApp.root_dir="$(CURDIR)" $(LAB_ARGS) $(START)

test: .venv/.test ## lint, types, tests, every chapter at smoke scale, the book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	ALL=$(ALL) $(BIN)/pytest -n 2 --dist worksteal $(TEST_ARGS)

book: .venv/.book ## build the HTML book
	$(GOALWARD) book

run: .venv/.lab ## run the chapters whose code changed, and record them
	$(GOALWARD) run --stale

claims: .venv/.lab ## every claim and its verdict
	$(GOALWARD) claims

assignments: .venv/.teach ## write student notebooks into assignments/release
	$(GOALWARD) assignments release --out assignments

planted: .venv/.test ## judge the planted answers of every assignment, and keep which passed
	$(BIN)/pytest -n 2 --record tests/assignments/test_planted.py

mutations: .venv/.test ## plant each known mistake in a copy of the library: do the tests see it?
	EVERY=$(EVERY) $(BIN)/python tests/mutate.py $(ONLY)

pins: .venv/.test ## resolve the pinned versions anew
	$(BIN)/python tests/pins.py

vendor: .venv/.book ## fetch the book's scripts and fonts anew (needs npm)
	$(BIN)/python -m goalward.course.book.vendor

clean: ## remove what was built, not the environment
	rm -rf _build .goalward

# What each stamp installs. The versions are those of constraints.txt.
.venv/.lab: EXTRAS := lab
.venv/.book: EXTRAS := lab,book
.venv/.teach: EXTRAS := lab,teach
.venv/.bench: EXTRAS := lab,bench
.venv/.online: EXTRAS := lab,bench,online
.venv/.warp: EXTRAS := lab,bench,online,warp
.venv/.cluster: EXTRAS := lab,bench,online,cluster
.venv/.cuda: EXTRAS := lab,bench,online,cuda
.venv/.dev: EXTRAS := lab,dev
.venv/.test: EXTRAS := lab,book,test,teach,bench,online,cluster
.venv/.%: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing goalward[$(EXTRAS)] into .venv"
	@if $(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/pip install -q --disable-pip-version-check uv; then \
		$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[$(EXTRAS)]'; \
	else \
		$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'; \
	fi
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
		{ echo "goalward: needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
