# SPDX-License-Identifier: BSD-2-Clause
# Mirach. `make demo` shows it at work, `make test` proves it; both install what is missing first.
BUILD ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
CLANG ?= $(firstword $(foreach v,-19 -18 -17 -16,$(shell command -v clang$(v))) clang)
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PKGS := libbpf libxdp libnl-3.0 libnl-route-3.0 libcjson yaml-0.1 libevent_core libevent_extra libevent_openssl libevent_pthreads libcurl openssl sqlite3 liburcu-mb libcap-ng libsystemd libxxhash
WARN := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes
C_FLAGS := -std=gnu11 -D_GNU_SOURCE -pthread $(WARN) -Iinclude -I. -I$(BUILD)/gen $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
BPF_FLAGS := -O2 -g -std=gnu11 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-function -Iinclude -I. -Ivmlinux \
	-I/usr/include/$(shell $(CC) -print-multiarch)
run = $(if $(V),,@echo '  $(1)	$(@:$(BUILD)/%=%)';)# V=1 shows the commands
compile = $(CC) $(C_FLAGS) $(CFLAGS) $(SANITIZE)
export BUILD
export CMOCKA_MESSAGE_OUTPUT := TAP

objs = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1))))
LIB := $(call objs,lib/*.c)
AGENT := $(filter-out %/main.o,$(call objs,agent/*.c agent/*/*.c))
PURE := $(filter $(BUILD)/agent/config%.o $(BUILD)/agent/template.o,$(AGENT))	# what mirachctl shares with the agent
CLI := $(filter-out %/main.o,$(call objs,ctl/cli/*.c))
CONTROLLER := $(filter-out %/main.o,$(call objs,ctl/controller/*.c))
SHARED := $(call objs,agent/config*.c agent/template.c ctl/controller/model_kinds.c ctl/controller/auth.c)# pure parts of agent and controller that mirachctl uses, too
BPF := $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/mirach_%.bpf.o,$(wildcard bpf/*.bpf.c))
SKELS := $(BPF:$(BUILD)/bpf/%.bpf.o=$(BUILD)/gen/%.skel.h)
UNIT := $(basename $(call objs,selftests/unit/test_*.c))

.PHONY: all deps check check-bpf check-net test bench bench-scale baseline demo docs install lint clean
all: $(BPF) $(BUILD)/mirachd $(BUILD)/mirachctl $(BUILD)/mirach-controller
deps:
	@scripts/deps
check: deps			# pure code: no root, no namespaces
	@selftests/run unit api fuzz lint
check-bpf: deps			# the real objects in the kernel, and in other kernels
	@selftests/run bpf verifier
check-net: deps			# hosts as network namespaces
	@selftests/run net
test: deps
	@selftests/run
bench: deps
	@$(MAKE) --no-print-directory all benchtools && selftests/bench/run
bench-scale: deps		# the control plane: 5,000 simulated hosts; about five minutes
	@$(MAKE) --no-print-directory all benchtools && selftests/bench/run scale
baseline: deps
	@$(MAKE) --no-print-directory all verifier && selftests/verifier/matrix --update
demo: deps
	@$(MAKE) --no-print-directory all && scripts/demo $(if $(KEEP),--keep)
lint: deps
	@scripts/lint
docs: all
	@scripts/docs $(BUILD)/docs
install: all
	install -Dm755 -t $(DESTDIR)$(PREFIX)/sbin $(BUILD)/mirachd $(BUILD)/mirach-controller
	install -Dm755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/mirachctl
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/mirach/bpf $(BPF)
clean:
	rm -rf $(BUILD)

$(BUILD)/mirachd: $(BUILD)/agent/main.o $(AGENT) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/mirachctl: $(BUILD)/ctl/cli/main.o $(CLI) $(SHARED) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/mirach-controller: $(BUILD)/ctl/controller/main.o $(CONTROLLER) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/selftests/unit/%: $(BUILD)/selftests/unit/%.o $(AGENT) $(CLI) $(CONTROLLER) $(LIB)
	$(call run,LINK)$(compile) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call run,CC)$(compile) -MMD -MP -c $< -o $@
$(BUILD)/bpf/mirach_%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call run,BPF)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call run,SKEL)$(BPFTOOL) gen skeleton $< name $* > $@.tmp && mv $@.tmp $@
$(AGENT) $(BUILD)/agent/main.o: | $(SKELS)

include selftests/selftests.mk
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
