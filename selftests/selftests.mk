# SPDX-License-Identifier: BSD-2-Clause
#
# What the tests are built from. Each folder with programs of its own brings a
# fragment that adds to one target: fuzz/fuzz.mk to `fuzzers`, bpf/bpf.mk to
# `bpftests`, verifier/verifier.mk to `verifier`, bench/bench.mk to `benchtools`.

.PHONY: tests unit fuzzers bpftests verifier benchtools
tests: all unit fuzzers bpftests verifier benchtools
unit: $(UNIT)
fuzzers bpftests verifier benchtools:

include $(sort $(wildcard selftests/*/*.mk))
