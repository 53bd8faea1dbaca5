# SPDX-License-Identifier: BSD-2-Clause
#
# Fuzz targets: everything that reads bytes from outside, compiled once more by
# clang with libFuzzer, ASan and UBSan. Their objects live apart in BUILD/fuzz.
#
# Alignment is not checked: frames and their headers lie where the sender put them,
# wire.h says so, and every machine Mirach runs on loads unaligned words.

FUZZ := $(BUILD)/fuzz
FUZZERS := $(patsubst selftests/fuzz/%.c,$(FUZZ)/%,$(wildcard selftests/fuzz/fuzz_*.c))
FUZZ_SANITIZE := -fsanitize=fuzzer,address,undefined -fno-sanitize=alignment -fno-sanitize-recover=all
FUZZ_CC = $(CLANG) $(C_FLAGS) -O1 -g -fno-omit-frame-pointer $(FUZZ_SANITIZE)
fuzz_objs = $(patsubst %.c,$(FUZZ)/%.o,$(wildcard $(1)))

fuzzers: $(FUZZERS) $(FUZZ)/seeds/stamp
$(FUZZ)/fuzz_parse: $(call fuzz_objs,selftests/fuzz/fuzz_parse.c)
$(FUZZ)/fuzz_pmtu: $(call fuzz_objs,selftests/fuzz/fuzz_pmtu.c agent/pmtu.c lib/addr.c)
$(FUZZ)/fuzz_health: $(call fuzz_objs,selftests/fuzz/fuzz_health.c agent/health.c)
$(FUZZ)/fuzz_config: $(call fuzz_objs,selftests/fuzz/fuzz_config.c agent/config*.c lib/doc.c lib/addr.c lib/error.c)
$(FUZZ)/fuzz_admin: $(call fuzz_objs,selftests/fuzz/fuzz_admin.c $(filter-out agent/main.c,$(wildcard agent/*.c)) agent/policy/*.c lib/*.c)
$(FUZZ)/fuzz_frame: $(call fuzz_objs,selftests/fuzz/fuzz_frame.c lib/frame.c lib/error.c)
$(FUZZ)/fuzz_checkpoint: $(call fuzz_objs,selftests/fuzz/fuzz_checkpoint.c agent/checkpoint.c agent/object.c \
	agent/object_set.c agent/bind.c agent/state_config.c agent/config*.c lib/doc.c lib/doc_json.c lib/addr.c lib/error.c \
	lib/objset.c)
$(FUZZ)/fuzz_etcd: $(call fuzz_objs,selftests/fuzz/fuzz_etcd.c ctl/controller/store_etcd_json.c lib/error.c)
$(FUZZ)/fuzz_channel: $(call fuzz_objs,selftests/fuzz/fuzz_channel.c ctl/controller/channel_frame.c \
	ctl/controller/permits.c lib/addr.c lib/error.c)
$(FUZZ)/fuzz_msg: $(call fuzz_objs,selftests/fuzz/fuzz_msg.c lib/msg.c lib/msg_host.c lib/objset.c lib/frame.c lib/error.c)
$(FUZZ)/fuzz_model: $(call fuzz_objs,selftests/fuzz/fuzz_model.c ctl/controller/index.c ctl/controller/presence.c ctl/controller/model*.c \
	ctl/controller/problems.c ctl/controller/validate*.c lib/*.c)
$(call fuzz_objs,agent/*.c): | $(SKELS)
$(FUZZERS):
	$(call run,LINK)$(FUZZ_CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	$(call run,FUZZ)$(FUZZ_CC) -MMD -MP -c $< -o $@
$(FUZZ)/seeds/stamp: selftests/fuzz/make-seeds
	@rm -rf $(@D)
	$(call run,SEEDS)$< $(@D) && touch $@
