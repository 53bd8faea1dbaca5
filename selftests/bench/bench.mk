# SPDX-License-Identifier: BSD-2-Clause
bench := $(BUILD)/selftests/bench
BENCH_SKELS := $(patsubst selftests/bench/%.bpf.c,$(bench)/bench_%.skel.h,$(wildcard selftests/bench/*.bpf.c))
bench_part = $(addprefix $(BUILD)/,agent/flow_table.o agent/flow_owners.o agent/flow_watch.o agent/template.o lib/addr.o)

benchtools: $(addprefix $(bench)/,testrun pump memory delay talk store_load)
$(bench)/testrun: $(bench)/testrun.o $(bench)/world.o $(bench_part)
$(bench)/pump: $(bench)/pump.o $(bench_part)
$(bench)/delay: $(bench)/delay.o
$(bench)/talk: $(bench)/talk.o
$(bench)/store_load: $(bench)/store_load.o $(CONTROLLER) $(LIB)
benchtools: $(bench)/board
$(bench)/board: $(bench)/board.o $(AGENT) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(bench)/memory: $(bench)/memory.o $(AGENT) $(LIB)
$(addprefix $(bench)/,testrun pump memory delay talk store_load):
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(patsubst %,$(bench)/%.o,testrun world pump): private C_FLAGS += -I$(bench)
$(patsubst %,$(bench)/%.o,testrun world pump): | $(BENCH_SKELS)
$(patsubst %,$(bench)/%.o,testrun world): | $(SKELS)
benchtools: $(bench)/bench_entry.bpf.o
$(bench)/bench_%.bpf.o: selftests/bench/%.bpf.c
	@mkdir -p $(@D)
	$(call run,BPF)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@
$(bench)/%.skel.h: $(bench)/%.bpf.o
	$(call run,SKEL)$(BPFTOOL) gen skeleton $< name $* > $@.tmp && mv $@.tmp $@

# The simulated hosts of bench-scale.
fleet_parts = $(addprefix $(BUILD)/,agent/usage.o ctl/cli/pki.o) $(LIB)
benchtools: $(bench)/fleet
$(bench)/fleet: $(addprefix $(bench)/,fleet.o fleet_session.o fleet_traffic.o) $(fleet_parts)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Declared objects; selftests/bench/declare is its other half.
benchtools: $(bench)/objects
$(bench)/objects: $(bench)/objects.o $(patsubst %,$(BUILD)/ctl/controller/%.o,index problems model model_fields \
	model_kinds model_read model_set presence validate validate_alloc validate_checks validate_cycles) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Objects and checkpoint of a large hoverboard's agent.
benchtools: $(bench)/checkpoint
$(bench)/checkpoint: $(bench)/checkpoint.o $(AGENT) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
