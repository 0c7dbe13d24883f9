# Everything runs in .venv; each target installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEXTURES ?= ../shared/data/textures
VARIANT ?= stereo
OLDEST := .venv-oldest
OLDEST_PYTHON ?= $(shell python3.10 -c 'import sys; print(sys.executable)' 2>/dev/null || echo $(PYTHON))
# The build backend warns at length of what an editable install is.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet

# Tests that make quick leaves out: they solve, train, simulate at length, compile stand-ins or start programs.
UNHURRIED := $(addprefix tests/,abi model app/batch app/calibrate app/cameras app/doctor app/evaluate app/matchers app/pair_pose \
  app/run/test_run_pose.py app/service app/verify app/workers app/test_cli.py app/test_commands.py app/test_fuzz.py \
  app/sinks/test_trajectory.py calibration/boards/test_boards.py calibration/guided calibration/health \
  calibration/solver calibration/test_real_sets.py runtime/engines/test_ax_faults.py runtime/engines/test_ax.py \
  runtime/engines/test_axcl_faults.py runtime/engines/test_ax_standin.py \
  runtime/engines/test_image_inputs.py runtime/engines/test_npu_app.py runtime/test_pipeline.py \
  runtime/matching runtime/odometry runtime/relative_pose)

# Continuous integration sets it: tests that skip for a reason not in tests/skips.py fail the run.
NEWEST_SKIPS ?= $(if $(SKIP_FLOOR),--skips=newest)

# Our matrices are small: threads that wait for each other cost more than they give, above all on a busy machine.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1

# glibc gives large blocks back at once and has them zeroed again at the next step: about a sixth of a step's time.
KEEP_MEMORY := MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=10737418240 MALLOC_TOP_PAD_=268435456

.PHONY: run test test-app test-model test-rest thorough quick test-oldest test-arm64 vm-test check bench train typing clean help

help:            ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 12

run: $(VENV)/ready-run          ## the main job: depth from the simulated rig with the bundled model, into out/
	$(BIN)/roma-device run --camera 'simulated:room?frames=40' --output out --save preview,depth,results

test: check test-app test-model test-rest  ## linters, types and tests; with --jobs 2 in half of the time

test-app test-model test-rest: $(VENV)/ready-test
test-app:
	$(BIN)/python -m pytest $(NEWEST_SKIPS) tests/app
test-model:
	$(BIN)/python -m pytest $(NEWEST_SKIPS) tests/model $(wildcard tests/test_*.py)
test-rest:
	$(BIN)/python -m pytest $(NEWEST_SKIPS) tests --ignore=tests/app --ignore=tests/model $(addprefix --ignore=,$(wildcard tests/test_*.py))

thorough: $(VENV)/ready-test    ## the tests that take minutes each, before a release
	$(BIN)/python -m pytest -m thorough

quick: $(VENV)/ready-test       ## ruff and the quick half of the tests, in about a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/python -m pytest -m "not slow and not thorough" $(addprefix --ignore=,$(UNHURRIED))

test-oldest: $(OLDEST)/ready     ## tests on the oldest supported versions: OpenCV 4.10, Python 3.10 where there is one
	$(OLDEST)/bin/python -m pytest $(and $(NEWEST_SKIPS),--skips=oldest) tests -m "not slow and not thorough"

test-arm64: $(VENV)/ready-test   ## engine tests and a frame as arm64 programs, by qemu-user: needs root on Debian or Ubuntu
	tests/arm64/run.sh

vm-test: $(VENV)/ready-test      ## the service in a booted virtual board, with faults: needs root on Debian or Ubuntu
	$(BIN)/python tests/vm/run.py $(VM_OPTIONS)

check: $(VENV)/ready-test typing  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy -p roma_device
	@! $(BIN)/python -c "import torch, onnx" 2>/dev/null || $(BIN)/mypy model

bench: $(VENV)/ready-run        ## latency of every stage
	$(BIN)/roma-device bench

train: $(VENV)/ready-model      ## train VARIANT (resumes); TEXTURES is a folder of natural images
	$(KEEP_MEMORY) $(BIN)/python -m model.train $(VARIANT) --output runs/$(VARIANT) \
	  $(if $(wildcard $(TEXTURES)),--textures $(TEXTURES))

# mypy cannot follow the mapped layout of an editable install: it gets a folder of links instead.
typing:
	@mkdir -p build/typing/roma_device
	@for part in app runtime calibration configs; do ln -sfn ../../../$$part build/typing/roma_device/$$part; done
	@for part in api/*; do ln -sfn ../../../$$part build/typing/roma_device/; done

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

$(VENV)/ready-run: $(VENV)/bin/python setup.cfg
	$(PIP) -e .
	@touch $@

$(VENV)/ready-test: $(VENV)/ready-run
	$(PIP) -e '.[onnx,openvino,dev]'
	@touch $@

$(OLDEST)/ready: setup.cfg
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(OLDEST)/bin/python -m pip install --quiet \
	  'opencv-python-headless==4.10.0.84' 'numpy<2' 'pydantic<2.6' hypothesis pytest -e .
	@touch $@

$(VENV)/ready-model: $(VENV)/ready-run
	$(PIP) -r model/requirements.txt
	@touch $@

clean:           ## remove what the targets made
	rm -rf build out $(VENV)
