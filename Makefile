# The short front door. Each target is one command of the build folder.
BUILD ?= build

.PHONY: build test test-fast clean

build:
	cmake --preset release >/dev/null && cmake --build $(BUILD)

test: build
	ctest --test-dir $(BUILD) --output-on-failure

clean:
	rm -rf build build-debug build-asan build-tsan
