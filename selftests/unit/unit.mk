# SPDX-License-Identifier: BSD-2-Clause
#
# What a unit test replaces, so that it needs neither kernel nor root.

# The datapath below agent/state.c: a change, and the table of endpoints.
$(BUILD)/selftests/unit/test_state: LDFLAGS += $(foreach f,change_begin change_resolved \
	change_finish change_done change_make endpoints_set endpoints_del,-Wl,--wrap=$(f))
