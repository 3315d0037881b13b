# Every target makes what it needs and can be repeated. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install repro test check bench benchmark-open benchmark-systems picture clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(STAMP) ## make .venv with the pinned packages

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "  environment   installing the pinned packages into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@touch $@
	@echo "  environment   $(VENV) ready ($$($(BIN)/python --version | tr P p))"

repro: install ## compute the digits table: data, training, evaluation, report
	@dvc repro --keep-going
	@echo "open runs/digits/report.html"

test: install ## run the tests
	@pytest -n auto --dist loadfile --no-loadscope-reorder

check: install ## lint, types, layers, generated files, specs
	@ruff check . && ruff format --check . && mypy && lint-imports && cggm schema --check && cggm compile --check && cggm validate

bench: install ## print the numbers of the project as ratios and medians
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

benchmark-open: install ## the open benchmark (hours; goes on where it was); PARTS="tune tables" ONLY=mfeat for a part
	@$(BIN)/python benchmarks/open_benchmark/run.py $(PARTS) $(foreach table,$(ONLY),--only $(table))

benchmark-systems: install ## missing modalities, adapters, adaptation on open data (hours; goes on where it was)
	@$(BIN)/python benchmarks/three_systems/run.py $(PARTS) $(foreach data,$(ONLY),--only $(data))

picture: install ## remake the README's picture from the report
	@$(BIN)/python docs/img/remake.py

clean: ## remove what a run wrote (data, runs, state), not the environment
	@rm -rf data/prepared runs .cggm
