/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_etcd_json.h - requests to etcd's JSON gateway as text, and its answers taken apart
 *
 * Keys and values travel in base64, 64-bit numbers as strings. Answers come from
 * outside: whatever they hold, parsing ends with 0 and an answer that keeps the
 * rules below, or with -EBADMSG, or with what etcd's error means to the store.
 *
 * Pure. Fuzzed by selftests/fuzz/fuzz_etcd.c.
 */
#pragma once

#include <ctl/controller/store.h>

struct etcd_bytes {
	const char *at;
	size_t len;
};

struct etcd_range {
	struct etcd_bytes key, end;	/* end.len 0: this key only */
	unsigned int limit;
	int64_t revision;		/* 0: now */
	bool serializable;		/* ask this member only, no quorum */
};

/* Bodies of requests, malloc'ed; NULL: out of memory. */
char *etcd_range_body(const struct etcd_range *r, size_t *ret_len);
char *etcd_txn_body(const struct store_compare *compares, unsigned int n_compares,
		    const struct store_op *ops, unsigned int n_ops, size_t *ret_len);
char *etcd_watch_body(const char *prefix, int64_t start, size_t *ret_len);
char *etcd_lease_body(int64_t lease, unsigned int ttl_s, size_t *ret_len);	/* 0: leave out */

enum etcd_kind {
	ETCD_RANGE,			/* events, more */
	ETCD_TXN,			/* succeeded, or else events: the compared keys that exist */
	ETCD_LEASE,			/* lease and ttl_s; keepalive of none: ttl_s 0 */
	ETCD_WATCH,			/* one line of the stream: events in order of revision */
};

struct etcd_answer {
	int64_t revision;
	bool succeeded, more;
	bool created, canceled;
	int64_t compact_revision;	/* watch: not 0: history before it is gone */
	int64_t lease, ttl_s;
	struct store_event *events;	/* keys and values, NUL-terminated, own their memory */
	unsigned int n, cap;
};

/*
 * 0 and an answer for etcd_answer_done(), or -errno, a sentence and an empty one.
 * @status: of HTTP. An error of etcd's inside a stream counts like any other.
 */
int etcd_parse(enum etcd_kind kind, int status, const char *text, size_t len,
	       struct etcd_answer *ret, struct error *e);
void etcd_answer_done(struct etcd_answer *a);
