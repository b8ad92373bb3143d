# The short front door: `make help` lists the targets. Each is one or two commands that can be run alone.
BUILD ?= build
PYTHON = $(BUILD)/venv/bin/python
AUDIO ?=
export GODWIT_PYTHON = $(abspath $(PYTHON))

.PHONY: help build test test-fast sweep bench demo format lint clean setup-build setup-demo setup-test setup-lint setup-sweep setup-bench

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

setup-build setup-demo setup-test setup-lint setup-sweep setup-bench:
	@scripts/setup.sh $(@:setup-%=%)

build: setup-build  ## compile; the binary is build/bin/godwit
	@cmake --preset release -DPython3_EXECUTABLE=$(GODWIT_PYTHON) >$(BUILD)/configure.log || { cat $(BUILD)/configure.log; exit 1; }
	cmake --build $(BUILD)

test: setup-test build  ## every test, with its own set-up
	ctest --test-dir $(BUILD) --output-on-failure

test-fast: build  ## the quick tests, under a minute
	ctest --test-dir $(BUILD) --output-on-failure -LE slow -j 2

demo: setup-demo build  ## convert, prove, measure and run real models (AUDIO=x.wav for your own clip)
	$(PYTHON) tools/demo/demo.py $(if $(AUDIO),--audio $(AUDIO))

sweep: setup-sweep build  ## all model zoos and backend suites (hours), then docs/coverage.md
	scripts/sweep.sh

bench: setup-bench build  ## kernels and models beside the runtimes they come from, then docs/benchmarks.md
	$(PYTHON) tools/bench/bench.py

format: setup-lint  ## clang-format over our sources
	git ls-files '*.cpp' '*.h' | xargs clang-format -i

lint: setup-lint  ## layer arrows, formatting
	python3 scripts/check_layers.py
	git ls-files '*.cpp' '*.h' | xargs clang-format --dry-run --Werror

clean:  ## remove the build folders
	rm -rf build build-debug build-asan build-fuzz build-tsan
