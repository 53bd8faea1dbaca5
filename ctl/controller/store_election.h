/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_election.h - one of many leads: leader election over any store
 *
 * Candidates want to create the same key with a lease of their own; who does leads
 * for as long as the lease is kept alive. The others watch the key and try again
 * when it goes.
 *
 *	        key absent: lease, create           deadline near, lease or key gone
 *	LOOKING ────────────────────────► LEADING ────────────────────────► LOOKING
 *	   │ ▲                                                  (lost() was called)
 *	   │ └── key changes, or a while passed ──┐
 *	   └──── key is another's ───────────► STANDBY
 *
 * A leader counts its time from before it asked for the renewal, on the machine's
 * uptime, and steps down an eighth of the time to live before the end. So it has
 * stopped when the store lets the next one lead, whatever happened to the network,
 * the process or the clock. A process that was asleep does not know yet: who acts
 * as leader after a pause asks store_election_is_leader(), and transactions that
 * carry store_election_guard() are refused once another leads.
 *
 * On the loop of the store, like everything of it.
 */
#pragma once

#include <ctl/controller/store.h>

struct store_election;

struct store_election_options {
	struct store *store;
	struct event_base *base;
	const char *key;		/* what there is one leader of: "/mirach/leader/shard-3" */
	const char *value;		/* what candidates say of themselves, text */
	unsigned int ttl_ms;
	/* @token: revision of the key, higher with every leader. */
	void (*elected)(void *arg, int64_t token);
	void (*lost)(void *arg, const char *why);
	/* Who leads has changed, us included; NULL: nobody known. May be NULL. */
	void (*leader)(void *arg, const struct store_kv *kv);
	void *arg;
};

/* NULL: out of memory. Texts are copied. Callbacks come from the loop, and must not free it. */
struct store_election *store_election_new(const struct store_election_options *o);
/* False for sure from the moment on that another may lead. */
bool store_election_is_leader(const struct store_election *e);
/* What a transaction compares to be refused if we lead no more. False: we do not. */
bool store_election_guard(const struct store_election *e, struct store_compare *ret);
/*
 * Leaves: another can lead at once. lost() is not called any more; @done (may be
 * NULL) is, when the store knows or cannot be told. Then, or instead, free it.
 */
void store_election_resign(struct store_election *e, void (*done)(void *arg));
void store_election_free(struct store_election *e);	/* before store_close(); NULL is allowed */
