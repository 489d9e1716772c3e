# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every command prints what it does and can be repeated; "make help" lists them.

# QEMU_SRC=DIR: a QEMU tree of your own; BASE=10.2: see overlay/base.lock;
# DEBIAN_MIRROR=URI: instead of the one that the machine's apt uses
export QEMU_SRC BASE DEBIAN_MIRROR

.PHONY: help qemu demo check check-unit check-qtest check-guest check-series \
        asan coverage fuzz fuzz-selftest check-mutants check-traps \
        check-fresh check-usbtest bench series run clean
.NOTPARALLEL:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | \
	    while read -r name text; do printf 'make %-13s %s\n' \
	    "$$name" "$$text"; done

qemu: ## fetch and build QEMU with the device: build/bin/qemu-system-x86_64
	@scripts/qemu

demo: qemu ## a Python mouse plugged into a running Linux guest
	@scripts/demo

check: ## tests for each change; ends with "N passed, N failed, N skipped"
	@scripts/check

check-unit: ## unit tests: Python package, C headers and codec, overlay
	@scripts/check unit

check-qtest: ## the device under qtest, and QEMU's own USB tests
	@scripts/check qtest

check-guest: ## the examples in a real Linux guest
	@scripts/check guest

check-series: ## the patches of "make series", also on the other QEMU version
	@scripts/check series

asan: ## the qtests on a build with address and undefined sanitizers
	@scripts/check asan

coverage: ## which lines of the device the qtests run, and which not
	@scripts/coverage

fuzz: ## make fuzz SECONDS=60: each fuzzer for so long
	@scripts/fuzz $(if $(SECONDS),--seconds $(SECONDS))

fuzz-selftest: ## do the fuzzers find faults that were put there?
	@scripts/fuzz --planted

check-mutants: ## faults in the device, one at a time: a test finds each
	@scripts/check-mutants

check-traps: ## our patches to QEMU's code: the case of each fails without it
	@scripts/check-traps

check-fresh: ## the README on a minimal Debian 12 and 13, in a folder; as root
	@scripts/check-fresh $(RELEASE)

check-usbtest: qemu ## Linux's usbtest on every host controller: a table
	@tests/guest/usbtest

bench: ## figures beside usb-redir's, and what they do not mean
	@scripts/bench

series: ## make series OUT=DIR: the patches, signed off by you
	@scripts/series "$(OUT)"

run: qemu ## make run ARGS="...": a shell in a test guest
	@tests/guest/run --shell $(ARGS)

clean: ## remove build/
	rm -rf build
