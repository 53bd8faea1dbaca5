/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settle.h - an event loop, a datapath and a declaration, for tests of what follows the kernel
 *
 * What is under test reacts to netlink news, so a test changes something with
 * ip(8) and then runs the loop until it sees what it expects, or time is up.
 * Include after sandbox.h.
 */
#pragma once

#include <event2/event.h>

#include <agent/config.h>
#include <agent/dp.h>
#include <agent/underlay.h>
#include <agent/vport.h>
#include <lib/clock.h>
#include <lib/log.h>

#define DIR_ "/run/mirach-test"
#define SETTLE_MS 5000

struct world {
	struct event_base *base;
	struct event *poll;
	struct dp *dp;
	struct underlay *underlay;
	struct vports *vports;
	struct config config;
};

static inline void poll_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

/* One turn of the loop; no more of them after @end. */
static inline void __attribute__((unused)) turn(struct world *w, uint64_t end, const char *awaited)
{
	if (clock_now_ns() > end)
		fail_msg("never came true: %s", awaited);
	event_base_loop(w->base, EVLOOP_ONCE);
}

/* @cond comes true within the time. */
#define assert_soon(w, cond)                                                       \
	for (uint64_t end_ = clock_now_ns() + SETTLE_MS * NS_PER_MS; !(cond);)     \
		turn(w, end_, #cond)

/* Loading the programs takes seconds: a group of tests does it once. */
static inline void __attribute__((unused)) datapath_open(struct world *w)
{
	const struct dp_options options = { .dir = DIR_, .n_flows = 1000 };
	struct error e = {};

	assert_ok(dp_open(&options, &w->dp, &e), &e);
}

/* What an agent makes when it starts, and what it gives up when it ends. */
static inline void __attribute__((unused)) agent_begin(struct world *w)
{
	const struct timeval period = { .tv_usec = 5000 };
	struct error e = {};

	w->base = event_base_new();
	w->poll = event_new(w->base, -1, EV_PERSIST, poll_again, NULL);
	assert_int_equal(event_add(w->poll, &period), 0);
	assert_ok(underlay_new(w->base, w->dp, &w->underlay, &e), &e);
	assert_ok(vports_new(w->base, w->dp, w->underlay, 1, &w->vports, &e), &e);
}

static inline void __attribute__((unused)) agent_end(struct world *w)
{
	vports_free(w->vports);
	underlay_free(w->underlay);
	event_free(w->poll);
	event_base_free(w->base);
}

static inline struct ip_addr __attribute__((unused)) ip(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}
