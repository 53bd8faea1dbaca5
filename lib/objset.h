/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objset.h - which objects a host has, in which version, and a digest of it all
 *
 *	id ──► v			"vport/acme.web-1" ──► 128 bits
 *	digest of one object		XXH3-128(id, NUL, v as 32 hex digits)
 *	bucket of an object		XXH3-64(id) & 255
 *	digest of a bucket, of all	XOR over its objects
 *
 * XOR makes the digests follow every change at the cost of that change, in any order.
 * Two sets are equal if their digests are; if not, 256 buckets say where to look, so
 * that host and controller exchange what differs and not what they have. The digest
 * guards against drift, not against forgery: TLS does that.
 *
 * Agent and controller both use struct objset_digest; the set itself suits whoever
 * does not keep the objects anyway. Pure. See also: docs/protocol.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_STRLEN 33		/* 32 hex digits and NUL */
#define OBJSET_BUCKETS 256u
#define OBJSET_ID_MAX 255u		/* whoever takes ids from outside checks */

struct digest {
	uint64_t hi, lo;
};

struct digest digest_of(const void *data, size_t len);
/* Returns @buf. */
const char *digest_format(const struct digest *d, char buf[DIGEST_STRLEN]);
/* 0 or -EINVAL: not 32 hex digits in lower case. */
int digest_parse(const char *text, struct digest *ret);

static inline bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->hi == b->hi && a->lo == b->lo;
}

static inline void digest_xor(struct digest *to, const struct digest *d)
{
	to->hi ^= d->hi;
	to->lo ^= d->lo;
}

/* All zero: of the empty set. */
struct objset_digest {
	struct digest root;
	uint64_t count;			/* objects */
	struct digest bucket[OBJSET_BUCKETS];
};

unsigned int objset_bucket(const char *id);
/* @v must be the one that was added, when an object goes. */
void objset_digest_add(struct objset_digest *d, const char *id, const struct digest *v);
void objset_digest_del(struct objset_digest *d, const char *id, const struct digest *v);

struct objset_entry {
	struct digest v;
	uint64_t hash;			/* XXH3-64(id) */
	char id[];
};

struct objset {
	struct objset_entry **slots;
	size_t mask;			/* slots - 1 */
	struct digest root;
	uint64_t count;
	uint64_t bytes;			/* of entries, for whoever accounts for memory */
};

void objset_init(struct objset *s);
void objset_done(struct objset *s);
struct objset_entry *objset_find(const struct objset *s, const char *id);
/* 1: new or changed, 0: as it was, -ENOMEM. */
int objset_put(struct objset *s, const char *id, const struct digest *v);
bool objset_del(struct objset *s, const char *id);	/* false: was not there */
/* Entries in no order: for (size_t i = 0; (e = objset_next(s, &i)); ). No changes meanwhile. */
struct objset_entry *objset_next(const struct objset *s, size_t *i);
/* One walk over the set. */
void objset_buckets(const struct objset *s, struct digest ret[OBJSET_BUCKETS]);
size_t objset_bytes(const struct objset *s);
