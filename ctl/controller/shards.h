/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shards.h - who leads which hosts, when several controllers share a store
 *
 *	host ──ring_shard──► shard 0..n-1 ──election over the store──► one leader, the rest stand by
 *
 *	/mirach/shards/members/<name>	there is such a VM controller (leased)
 *	/mirach/shards/leaders/<n>	its leader: {"controller", "channel"} (leased, store_election.h)
 *
 * Every VM controller stands for every shard, so whoever is left takes over as soon as
 * the lease of a dead one ends. When more than one is there, each shard goes to the one
 * that the ring prefers: a leader that is not the preferred one resigns, one shard at a
 * time, and stands by for a while. So a controller that joins takes its share and no
 * other shard moves.
 *
 * A process without VM controller (--roles fm,ofe) only watches.
 * On the loop's thread. See also: ring.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include <ctl/controller/store.h>
#include <lib/error.h>

#define SHARDS_MAX 64u
#define SHARDS_DEFAULT 8u
#define SHARD_NAME_LEN 64		/* of a controller */
#define SHARD_ADDRESS_LEN 80

struct shards;

struct shard_leader {
	char name[SHARD_NAME_LEN];	/* "": nobody known */
	char channel[SHARD_ADDRESS_LEN];	/* where others reach it, channel.h */
	int64_t term;			/* since this revision */
};

struct shards_options {
	struct event_base *base;
	struct store *store;
	const char *name, *channel;	/* ours */
	unsigned int n;			/* the same for all controllers of a store */
	bool candidate;			/* we have a VM controller */
	unsigned int ttl_ms;		/* of leases; 0: 2000 */
	void (*changed)(void *arg);	/* who leads is other than before, or what we lead */
	void *arg;
};

int shards_new(const struct shards_options *o, struct shards **ret, struct error *e);
void shards_free(struct shards *s);	/* what we lead goes to others when the leases end */

bool shards_lead(const struct shards *s, const char *host);	/* we do */
/* Is what we lead what the store says we do? Not while a shard comes or goes. */
bool shards_agreed(const struct shards *s);
const struct shard_leader *shards_leader(const struct shards *s, const char *host);
/* Of whoever leads the host: higher with every leader, also with one that began anew. 0: nobody known. */
int64_t shards_term(const struct shards *s, const char *host);
unsigned int shards_count(const struct shards *s);	/* that we lead */
/* The leader of shard @i. */
const struct shard_leader *shards_at(const struct shards *s, unsigned int i);
unsigned int shards_n(const struct shards *s);
