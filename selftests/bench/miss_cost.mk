# SPDX-License-Identifier: BSD-2-Clause
benchtools: $(BUILD)/selftests/bench/miss_cost
$(BUILD)/selftests/bench/miss_cost: $(BUILD)/selftests/bench/miss_cost.o $(AGENT) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
