# Every target runs with PYTHON: the project's own .venv where there is one, else python3.
# Another interpreter that holds '.[dev]' is named on the command line: make check PYTHON=/path/to/python
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
FOLDERS = policies controller evals
BENCHMARKS = $(if $(wildcard benchmarks/*.py benchmarks/*/*.py),benchmarks)

.DEFAULT_GOAL := help
.PHONY: help venv links format lint types layers test coverage wheel check live conformance clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: .venv/bin/pytest  ## Make .venv with everything development needs, if it is missing

.venv/bin/pytest:
	python3 -m venv .venv
	.venv/bin/pip install -q -e '.[dev]'

links:  ## Make build/ns/thinkcap: the folders laid out as they install, for type checkers
	@mkdir -p build/ns/thinkcap
	@find build/ns -xtype l -delete
	@for file in thinkcap/*; do ln -sfn "../../../$$file" "build/ns/$$file"; done
	@for folder in $(FOLDERS); do ln -sfn "../../../$$folder" "build/ns/thinkcap/$$folder"; done

format:  ## Rewrite the layout of the code, and sort its imports
	$(PYTHON) -m ruff check --quiet --select I --fix .
	$(PYTHON) -m ruff format .

lint:  ## Check style and layout, changing nothing
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: links  ## Check types strictly: the package, the tests and the benchmarks
	$(PYTHON) -m mypy build/ns/thinkcap tests $(BENCHMARKS)

layers:  ## Check who imports whom, and that no modules import each other in a circle
	$(PYTHON) -m pytest -q -rP tests/test_layers.py

test:  ## Run the tests, but those that build the wheel
	$(PYTHON) -m pytest --ignore=tests/test_wheel.py

coverage:  ## Run the tests and require branch coverage of policies and controller
	$(PYTHON) -m coverage run -m pytest --ignore=tests/test_wheel.py
	$(PYTHON) -m coverage report --skip-covered

wheel:  ## Build the wheel, and run the tests and the coverage gate against it, away from the source
	THINKCAP_WHEEL=1 $(PYTHON) -m pytest tests/test_wheel.py

check: lint types layers coverage  ## Run all that must pass before a commit

live:  ## Run the tests that ask the small local model (fetched on first use; needs '.[local]')
	THINKCAP_LIVE=1 $(PYTHON) -m pytest -m live

conformance:  ## Hold thinkcap and its rivals to one ceiling, each in a scratch environment; FULL=1 for 129 streams
	$(PYTHON) -m benchmarks.conformance.run $(if $(FULL),--full) --page docs/conformance.md

clean:  ## Remove what the tools made, but .venv
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
