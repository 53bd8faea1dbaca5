# SPDX-License-Identifier: BSD-2-Clause
#
# What a unit test replaces, so that it needs neither kernel nor root.

# The datapath below agent/state.c: a change, the table of endpoints, the hosts.
$(BUILD)/selftests/unit/test_state: LDFLAGS += $(foreach f,change_begin change_resolved \
	change_finish change_done change_make endpoints_set endpoints_del \
	underlay_claim underlay_unclaim underlay_host_settled,-Wl,--wrap=$(f))
