# Eigenstep. `make demo` installs what is missing, builds, and diagnoses the wine table.

SWIFT ?= swift
PREFIX ?= /usr/local
CONFIGURATION ?= release

# The warm tests of `make smoke`: a regular expression over test target and function names.
SMOKE_TESTS ?= LinearMapsTests|TensorFilesTests
DEMO_FLAGS ?= Examples/wine.csv --target class --model linear --lr 1e-6

# Fedora keeps the BLAS headers in folders of their own.
CPATH := $(subst $() ,:,$(strip $(CPATH) $(wildcard /usr/include/openblas /usr/include/lapacke)))
ifneq ($(CPATH),)
export CPATH
endif

# The same flags for both, so that tests reuse what the demo compiled: `swift test` alone would pass
# -enable-testing, which @testable needs, and compile everything anew.
FLAGS = -c $(CONFIGURATION) -Xswiftc -enable-testing
BUILD = $(SWIFT) build $(FLAGS)
TEST = $(SWIFT) test $(FLAGS) --disable-xctest --disable-testable-imports
PROGRAM = .build/$(CONFIGURATION)/eigenstep
# Runs that are killed and go on to the same bits, and logs that TensorBoard opens.
TRAINING_CHECKS = python3 Scripts/kill-resume.py $(PROGRAM) --moments 8 \
  && PYTHONPATH=.eigenstep/tensorboard python3 -W ignore Scripts/tensorboard-check.py $(PROGRAM)

LIBRARY = python/src/eigenstep/_lib/libEigenstepC.so

.PHONY: all demo build test smoke check bench install clean bootstrap format lint snippets help \
  library wheel test-python test-torch

all: build

help:
	@echo "make demo       build, then diagnose the bundled wine table"
	@echo "make build      build the library and the program ($(CONFIGURATION))"
	@echo "make test       all tests"
	@echo "make smoke      a two-minute subset of the tests and one diagnosis, after a build"
	@echo "make library    the shared library of the Python package, with Swift's runtime in it"
	@echo "make wheel      dist/eigenstep-*.whl: the Python package with that library"
	@echo "make test-python  the wheel in an empty environment, and the tests of the package with JAX"
	@echo "make test-torch   the package's tests with PyTorch, whose wheel is large"
	@echo "make check      format, warnings as errors, tests, examples of README and docs"
	@echo "make bench      our claims beside the peers (installs them in .eigenstep/bench-venv; hours)"
	@echo "make install    into PREFIX (now $(PREFIX))"
	@echo "make bootstrap  install OpenBLAS, zlib and ONNX Runtime where they are missing"
	@echo "make format     format all Swift files in place"
	@echo "make clean      remove build products; .eigenstep, the downloads, stays"

bootstrap:
	@Scripts/bootstrap.sh

build: bootstrap
	$(BUILD)

demo: bootstrap
	$(BUILD) --product eigenstep
	$(PROGRAM) diagnose $(DEMO_FLAGS)

test: bootstrap
	@Scripts/bootstrap.sh tests
	$(TEST)
	python3 Tests/Recordings/recordings.py $(PROGRAM)
	$(TRAINING_CHECKS)
	SWIFT=$(SWIFT) Scripts/check-c-interface.sh .build/$(CONFIGURATION)

smoke: bootstrap
	$(TEST) --filter '$(SMOKE_TESTS)'
	$(PROGRAM) diagnose $(DEMO_FLAGS) --no-trials

# The strict setting adds -warnings-as-errors to this package's own targets alone.
check: export EIGENSTEP_STRICT = 1
check: export EIGENSTEP_EXAMPLES = 1
check: bootstrap lint
	@Scripts/bootstrap.sh tests
	$(BUILD) --build-tests
	Scripts/check_example.sh
	SWIFT=$(SWIFT) Scripts/check_client.sh
	$(TEST)
	python3 Tests/Recordings/recordings.py $(PROGRAM)
	$(TRAINING_CHECKS)
	SWIFT=$(SWIFT) Scripts/check-c-interface.sh .build/$(CONFIGURATION)
	python3 Scripts/check_snippets.py

lint:
	$(SWIFT) format lint --strict --recursive --parallel --configuration .swift-format \
	  Package.swift Sources Tests Examples $(wildcard Benchmarks/Package.swift Benchmarks/Sources)

format:
	$(SWIFT) format --in-place --recursive --parallel --configuration .swift-format \
	  Package.swift Sources Tests Examples $(wildcard Benchmarks/Package.swift Benchmarks/Sources)

snippets: build
	python3 Scripts/check_snippets.py

# Linked from what `make build` compiled.
library: build
	Scripts/link-library.sh .build/$(CONFIGURATION) $(LIBRARY)

wheel: library
	Scripts/wheel.sh

test-python: wheel
	Scripts/test-python.sh jax

test-torch: wheel
	Scripts/test-python.sh torch

bench: bootstrap
	Benchmarks/run.sh

# The program looks for the library in ../lib/eigenstep from its own folder.
install: build
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/eigenstep"
	install -m 755 $(PROGRAM) "$(DESTDIR)$(PREFIX)/bin/eigenstep"
	@if [ -d .eigenstep/onnxruntime ]; then \
	  cp -Rf .eigenstep/onnxruntime/. "$(DESTDIR)$(PREFIX)/lib/eigenstep/"; \
	  echo "ONNX Runtime installed in $(DESTDIR)$(PREFIX)/lib/eigenstep"; \
	else \
	  echo "no ONNX Runtime in .eigenstep: set ORT_DYLIB_PATH, or use --executor reference"; \
	fi

clean:
	$(SWIFT) package clean
	rm -rf .build-* Benchmarks/.build dist python/src/eigenstep/_lib python/LICENSE python/licenses
