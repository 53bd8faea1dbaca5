# SPDX-License-Identifier: BSD-2-Clause
verifier: $(BUILD)/selftests/verifier/load $(BUILD)/selftests/bench/testrun $(BPF)
$(BUILD)/selftests/verifier/load: $(BUILD)/selftests/verifier/load.o
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ -lbpf
