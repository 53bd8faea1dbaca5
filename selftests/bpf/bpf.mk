# SPDX-License-Identifier: BSD-2-Clause
BPF_TESTS := $(basename $(call objs,selftests/bpf/test_*.c))
BPF_FIXTURE := $(filter-out $(BPF_TESTS:%=%.o),$(call objs,selftests/bpf/*.c))

bpftests: $(BPF_TESTS)
$(BPF_TESTS): %: %.o $(BPF_FIXTURE) $(AGENT) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(BPF_TESTS:%=%.o) $(BPF_FIXTURE): | $(SKELS)
