/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc_session.h - one agent: what it has, what it lacks, what is on its way
 *
 *	         digests differ            asked for the buckets that do
 *	START ──────────────────► BUCKETS ──────────────► OBJECTS ──► STEADY
 *	  └── equal, or it has nothing ─────────────────────────────────┘
 *	STEADY: pending ids ─► one transaction under way ─► acknowledged ─► the next
 *
 * A transaction is what was pending when it began; its texts are made as the agent takes
 * them, so a million objects need no buffer. What changes meanwhile is pending again.
 * An acknowledgement with another digest than the one expected starts over at BUCKETS.
 *
 * Pure but for the clock it is given; internal to the VMC.
 */
#pragma once

#include <ctl/controller/vmc.h>
#include <ctl/controller/vmc_engine.h>

enum sync_state { SYNC_START, SYNC_BUCKETS, SYNC_OBJECTS, SYNC_STEADY };

/* A permit or direct route that was told, until the host has it. */
struct told_wait {
	struct told_wait *next;
	struct offload_change change;
	uint64_t seq;			/* of the transaction it went with; 0: not yet */
};

struct vmc_session {
	struct vmc *vmc;
	struct vmc_host *host;
	struct vmc_front front;
	void *arg;
	enum sync_state state;
	struct digest digest;		/* what the agent last said it has */
	uint8_t awaited[OBJSET_BUCKETS];
	unsigned int n_awaited;
	struct objset sending;		/* ids of the transaction under way */
	size_t at;			/* how far it is written */
	bool writing;			/* not wholly written yet */
	bool checked;			/* `expected` is what must be there after it */
	struct digest expected;
	uint64_t first_seq, seq, revision;	/* seq: higher than any leader's before us */
	uint64_t retry_ns;		/* after a refusal: not before */
	unsigned int refused;		/* in a row */
	char problem[256];		/* of the last refusal */
	bool failed;			/* closing; nothing is said any more */
};

void session_start(struct vmc_session *s);
void session_pump(struct vmc_session *s);
int session_message(struct vmc_session *s, const cJSON *msg, struct error *e);
/* The agent has all it is to have, and said so. */
bool session_in_step(const struct vmc_session *s);
void session_done(struct vmc_session *s);

/* From vmc.c. */
struct vmc {
	struct vmc_options o;
	struct vmc_engine engine;
	struct programming *programming;
	struct offload *offload;
	struct index networks;		/* struct net_number (vmc_offload.c) */
	uint32_t n_networks;
	const char **network_names;	/* network n at n - 1 */
	struct index waits;		/* struct told_host (vmc_offload.c) */
	struct index askers;		/* struct asker (vmc_permits.c) */
	struct index reports;		/* struct vport_report (vmc_report.c) */
	struct event *work, *tick;
	struct replica_listener regional, global;
	uint64_t revision;
	bool ready, in_transaction;
	uint64_t updates, acks, refusals, repairs;
	uint64_t usage_reports;
	uint64_t board_bytes, direct_bytes;	/* of reported pairs, estimated by their rates */
};

uint64_t vmc_now(const struct vmc *v);
void vmc_schedule(struct vmc *v);

/* vmc_offload.c */
int vmc_offload_init(struct vmc *v);
void vmc_offload_done(struct vmc *v);
int vmc_offload_usage(struct vmc *v, struct vmc_host *from, const cJSON *pairs);
void vmc_offload_connected(struct vmc *v, struct vmc_host *host, bool connected);
/* The host has acknowledged everything up to here. */
void vmc_offload_sent(struct vmc *v, struct vmc_host *host, uint64_t seq);
void vmc_offload_acked(struct vmc *v, struct vmc_host *host, uint64_t seq);
/* A permit or direct route that the host has and nobody told; false: not one we take over. */
bool vmc_offload_adopt(struct vmc *v, struct vmc_host *host, const char *id);
void vmc_offload_tick(struct vmc *v);
void vmc_offload_drain(struct vmc *v);	/* tells what has been decided */
/* Who leads the host, for the pairs it has part in: said before they are. */
void vmc_offload_led(struct vmc *v, struct vmc_host *host);
/* Hosts are led by others than before. */
void vmc_offload_shards_moved(struct vmc *v);
cJSON *vmc_offload_pairs(struct vmc *v);
/* The host where @addr is; NULL: nowhere. */
const struct host *vmc_offload_host(const struct vmc *v, const char *network,
				    const struct ip_addr *addr);
/* "<tenant>.<network>" as a number, from 1; 0: no memory, or (_known) it has none. */
uint32_t vmc_network_number(struct vmc *v, const char *network);
uint32_t vmc_network_known(const struct vmc *v, const char *network);

/* vmc_permits.c */
void vmc_permits_init(struct vmc *v);
void vmc_permits_done(struct vmc *v);
void vmc_permits_say(struct vmc *v, const struct offload_change *c);
void vmc_permits_acked(struct vmc *v, const struct offload_route *permit);
void vmc_permits_tick(struct vmc *v);

/* vmc_report.c */
int vmc_report(struct vmc *v, struct vmc_host *host, const cJSON *vports);
int vmc_bind(struct vmc_session *s, const cJSON *msg, struct error *e);
void vmc_reports_init(struct vmc *v);
void vmc_reports_done(struct vmc *v);
