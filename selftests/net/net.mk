# SPDX-License-Identifier: BSD-2-Clause
net := $(BUILD)/selftests/net

.PHONY: nettools
tests: nettools
nettools: $(net)/store_probe
$(net)/store_probe: $(net)/store_probe.o $(CONTROLLER) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
