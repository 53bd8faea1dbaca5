/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg.h - the host protocol's messages: frames on a stream, and what is in them
 *
 *	| length, 4 bytes, network order | {"msg":"ack","seq":7,...} |	at most MSG_FRAME_MAX
 *
 * msg_take() cuts whole frames out of what has arrived; msg_put() adds one to what
 * will be sent. A reader per message checks every field it hands out: texts are there,
 * not longer than their limit, printable; numbers whole and not negative; lists
 * bounded. A field that is not known is read over, so both sides may grow.
 *
 * What a reader returns points into the message and lives as long as it does. -EBADMSG
 * means: the peer does not speak the protocol; @e says what is wrong with which field.
 *
 * Pure but for the evbuffers. See also: docs/protocol.md (who says what when), frame.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <lib/error.h>
#include <lib/objset.h>

struct evbuffer;

#define MSG_FRAME_MAX (1u << 20)
#define MSG_VERSION 1u
#define MSG_NAME_MAX 63			/* of hosts, instances, networks */
#define MSG_ID_MAX 159			/* of objects */
#define MSG_TEXT_MAX 1023		/* for people */
#define MSG_PAIRS_MAX 4096		/* of a usage message */
#define MSG_VPORTS_MAX 4096		/* of a report; more go into the next */
#define MSG_IDS_MAX 64			/* named in an error */

enum msg_kind {
	MSG_OTHER,			/* not known: to be answered with an error and ignored */
	MSG_HELLO,
	MSG_WELCOME,
	MSG_QUERY,
	MSG_BUCKETS,
	MSG_OBJECTS,
	MSG_UPDATE,
	MSG_ACK,
	MSG_REPORT,
	MSG_BIND,
	MSG_BOUND,
	MSG_USAGE,
	MSG_PING,
	MSG_PONG,
	MSG_ERROR,
};

/*
 * 1 and a message to delete, 0: more bytes needed, -EBADMSG: the stream is lost, -ENOMEM.
 * Memory follows what has arrived, never what was announced.
 */
int msg_take(struct evbuffer *in, cJSON **ret, struct error *e);
/* 0, -EMSGSIZE or -ENOMEM. msg_send() deletes @msg, NULL is -ENOMEM. */
int msg_put(struct evbuffer *out, const cJSON *msg);
int msg_put_text(struct evbuffer *out, const char *text, size_t len);
int msg_send(struct evbuffer *out, cJSON *msg);

enum msg_kind msg_kind(const cJSON *msg);
const char *msg_kind_name(enum msg_kind kind);	/* "hello" */

/* hello: agent to controller, first of all */
struct msg_hello {
	bool speaks_ours;		/* MSG_VERSION is among its versions */
	const char *host, *agent;	/* agent: its version, "" unless said */
	struct digest digest;
	uint64_t count;			/* objects it has */
};
int msg_read_hello(const cJSON *msg, struct msg_hello *ret, struct error *e);
cJSON *msg_hello(const struct msg_hello *h);

/* welcome */
struct msg_welcome {
	uint32_t version;
	uint32_t usage_ms;		/* how often usage may be reported */
	uint32_t ping_ms;		/* how often this side will ask */
};
int msg_read_welcome(const cJSON *msg, struct msg_welcome *ret, struct error *e);
cJSON *msg_welcome(const struct msg_welcome *w);

/* query: for the digests of all buckets, or what is in some */
struct msg_query {
	bool buckets;			/* digests of all; else n of `bucket` */
	unsigned int n;
	uint8_t bucket[OBJSET_BUCKETS];
};
int msg_read_query(const cJSON *msg, struct msg_query *ret, struct error *e);
cJSON *msg_query(const struct msg_query *q);

/* buckets */
int msg_read_buckets(const cJSON *msg, struct digest ret[OBJSET_BUCKETS], struct error *e);
cJSON *msg_buckets(const struct digest digests[OBJSET_BUCKETS]);

/* objects: what is in one bucket. The reader has checked every id and v of `have`. */
struct msg_objects {
	uint8_t bucket;
	const cJSON *have;		/* {"<id>": "<v>"} */
};
int msg_read_objects(const cJSON *msg, struct msg_objects *ret, struct error *e);
cJSON *msg_objects(uint8_t bucket);	/* empty; msg_objects_add() fills it */
int msg_objects_add(cJSON *msg, const char *id, const char *v);

/* update: ids, versions and that specs are objects is checked; a spec's content is not. */
struct msg_update {
	uint64_t seq, revision;
	const cJSON *set, *del;		/* arrays or NULL */
	bool more;
};
int msg_read_update(const cJSON *msg, struct msg_update *ret, struct error *e);

/* ack */
struct msg_ack {
	uint64_t seq, revision;
	struct digest digest;		/* of what it has now */
	const char *error;		/* NULL: applied; else why not, and the old state stands */
	const cJSON *ids;		/* array of the objects concerned, or NULL */
};
int msg_read_ack(const cJSON *msg, struct msg_ack *ret, struct error *e);
cJSON *msg_ack(const struct msg_ack *a);	/* ids stay the caller's */

/* report: state of vports. msg_vport() is the @i-th of them. */
struct msg_vport {
	const char *id, *device, *state, *problem;	/* "" unless said */
};
int msg_read_report(const cJSON *msg, const cJSON **ret_vports, struct error *e);
void msg_vport(const cJSON *vport, struct msg_vport *ret);

/* bind and its answer */
struct msg_bind {
	const char *instance, *device, *netns, *guest_device;	/* NULL unless said; no device: let go */
};
int msg_read_bind(const cJSON *msg, struct msg_bind *ret, struct error *e);
cJSON *msg_bind(const struct msg_bind *b);
struct msg_bound {
	const char *instance, *error;	/* error NULL: bound */
};
int msg_read_bound(const cJSON *msg, struct msg_bound *ret, struct error *e);
cJSON *msg_bound(const struct msg_bound *b);

/* usage: msg_usage_pair() is the element @pair of the list the reader checked */
struct msg_usage_pair {
	const char *network, *src, *dst;
	uint64_t bps;
	bool direct;
};
int msg_read_usage(const cJSON *msg, const cJSON **ret_pairs, struct error *e);
void msg_usage_pair(const cJSON *pair, struct msg_usage_pair *ret);
cJSON *msg_usage(void);			/* empty */
int msg_usage_add(cJSON *msg, const struct msg_usage_pair *pair);

/* ping, pong; an error for people */
int msg_read_ping(const cJSON *msg, uint64_t *ret_n, struct error *e);
cJSON *msg_ping(uint64_t n);
cJSON *msg_pong(uint64_t n);
cJSON *msg_error(const char *text);
const char *msg_error_text(const cJSON *msg);	/* "" unless said */
