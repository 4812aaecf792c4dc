# `make demo` and `make test` do all the set-up by themselves, in .venv.
PYTHON ?= python3
BIN = .venv/bin
TORCH = 2.13.0
# Percent of the lines of images, scoring and answers that the tests must run.
COVERED = 97

.PHONY: help demo test lint clean

help:
	@echo "make demo   set up, sample the shipped generators, attribute their images, write genprint-demo/report.html"
	@echo "make test   set up, run the tests (lint and types included)"
	@echo "make clean  remove .venv and what the demo wrote"
	@echo "PYTHON=python3.12 make ... picks another interpreter (3.11 or newer)"

# A CPU-sized torch: a wheel at hand (PIP_FIND_LINKS) if there is one, else uv's CPU build.
.venv/torch: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-index --no-deps torch==$(TORCH) 2>/dev/null \
	  || ( $(BIN)/pip install --quiet uv && VIRTUAL_ENV=.venv $(BIN)/uv pip install --torch-backend=cpu torch==$(TORCH) )
	touch $@

.venv/demo: .venv/torch pyproject.toml
	$(BIN)/pip install --quiet -c constraints.txt -e '.[generators]'
	touch $@

.venv/dev: .venv/torch pyproject.toml
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@ .venv/demo

demo: .venv/demo
	$(BIN)/genprint demo

test: .venv/dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=
	$(BIN)/coverage report --fail-under=$(COVERED) --include='src/genprint/answers/*,src/genprint/images/*,src/genprint/scoring/*'

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv genprint-demo
