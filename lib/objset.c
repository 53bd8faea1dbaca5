// SPDX-License-Identifier: BSD-2-Clause
/*
 * objset.c - which objects a host has, in which version, and a digest of it all
 *
 * The set is a hash table of pointers with linear probing, at most 3 of 4 slots in
 * use; an entry that goes is followed by those behind it moving up.
 */
#include <lib/objset.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define SLOTS_MIN 8

struct digest digest_of(const void *data, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(data, len);

	return (struct digest){ .hi = h.high64, .lo = h.low64 };
}

const char *digest_format(const struct digest *d, char buf[DIGEST_STRLEN])
{
	static const char hex[] = "0123456789abcdef";

	for (unsigned int i = 0; i < 16; i++) {
		buf[i] = hex[d->hi >> (60 - 4 * i) & 15];
		buf[16 + i] = hex[d->lo >> (60 - 4 * i) & 15];
	}
	buf[32] = '\0';
	return buf;
}

static int half_parse(const char *text, uint64_t *ret)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < 16; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (c - 'a' + 10);
		else
			return -EINVAL;
	}
	*ret = n;
	return 0;
}

int digest_parse(const char *text, struct digest *ret)
{
	struct digest d;

	if (half_parse(text, &d.hi) || half_parse(text + 16, &d.lo) || text[32])
		return -EINVAL;
	*ret = d;
	return 0;
}

static uint64_t id_hash(const char *id)
{
	return XXH3_64bits(id, strlen(id));
}

unsigned int objset_bucket(const char *id)
{
	return id_hash(id) & (OBJSET_BUCKETS - 1);
}

static struct digest object_digest(const char *id, const struct digest *v)
{
	char text[OBJSET_ID_MAX + 1 + DIGEST_STRLEN];
	size_t len = strlen(id) + 1;

	assert(len <= OBJSET_ID_MAX + 1);
	memcpy(text, id, len);
	digest_format(v, text + len);
	return digest_of(text, len + DIGEST_STRLEN - 1);
}

static void digest_toggle(struct objset_digest *d, const char *id, const struct digest *v)
{
	struct digest one = object_digest(id, v);

	digest_xor(&d->root, &one);
	digest_xor(&d->bucket[objset_bucket(id)], &one);
}

void objset_digest_add(struct objset_digest *d, const char *id, const struct digest *v)
{
	digest_toggle(d, id, v);
	d->count++;
}

void objset_digest_del(struct objset_digest *d, const char *id, const struct digest *v)
{
	digest_toggle(d, id, v);
	d->count--;
}

void objset_init(struct objset *s)
{
	*s = (struct objset){};
}

void objset_done(struct objset *s)
{
	struct objset_entry *e;

	for (size_t i = 0; (e = objset_next(s, &i));)
		free(e);
	free(s->slots);
	objset_init(s);
}

/* The low byte is the bucket, so that it does not choose the slot as well. */
static size_t home(const struct objset *s, uint64_t hash)
{
	return hash >> 8 & s->mask;
}

/* The slot with @id, or the free one where it would go. There are slots. */
static size_t locate(const struct objset *s, const char *id, uint64_t hash)
{
	size_t i = home(s, hash);

	while (s->slots[i] && (s->slots[i]->hash != hash || strcmp(s->slots[i]->id, id)))
		i = (i + 1) & s->mask;
	return i;
}

struct objset_entry *objset_find(const struct objset *s, const char *id)
{
	return s->slots ? s->slots[locate(s, id, id_hash(id))] : NULL;
}

static int resize(struct objset *s, size_t n)
{
	struct objset_entry **slots = calloc(n, sizeof(*slots)), *e;
	struct objset bigger = { .slots = slots, .mask = n - 1 };

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; (e = objset_next(s, &i));)
		slots[locate(&bigger, e->id, e->hash)] = e;
	free(s->slots);
	s->slots = slots;
	s->mask = n - 1;
	return 0;
}

static struct objset_entry *entry_new(const char *id, uint64_t hash, const struct digest *v)
{
	size_t len = strlen(id) + 1;
	struct objset_entry *e = malloc(sizeof(*e) + len);

	if (!e)
		return NULL;
	e->v = *v;
	e->hash = hash;
	memcpy(e->id, id, len);
	return e;
}

static size_t entry_bytes(const struct objset_entry *e)
{
	return sizeof(*e) + strlen(e->id) + 1;
}

static void toggle(struct objset *s, const struct objset_entry *e)
{
	struct digest one = object_digest(e->id, &e->v);

	digest_xor(&s->root, &one);
}

int objset_put(struct objset *s, const char *id, const struct digest *v)
{
	uint64_t hash = id_hash(id);
	struct objset_entry *e = s->slots ? s->slots[locate(s, id, hash)] : NULL;

	if (e && digest_equal(&e->v, v))
		return 0;
	if (e) {
		toggle(s, e);
		e->v = *v;
		toggle(s, e);
		return 1;
	}
	if (!s->slots || s->count >= s->mask - s->mask / 4) {
		int err = resize(s, s->slots ? (s->mask + 1) * 2 : SLOTS_MIN);

		if (err)
			return err;
	}
	e = entry_new(id, hash, v);
	if (!e)
		return -ENOMEM;
	s->slots[locate(s, id, hash)] = e;
	s->count++;
	s->bytes += entry_bytes(e);
	toggle(s, e);
	return 1;
}

static void close_gap(struct objset *s, size_t gap)
{
	for (size_t i = (gap + 1) & s->mask; s->slots[i]; i = (i + 1) & s->mask) {
		if (((i - home(s, s->slots[i]->hash)) & s->mask) < ((i - gap) & s->mask))
			continue;
		s->slots[gap] = s->slots[i];
		gap = i;
	}
	s->slots[gap] = NULL;
}

bool objset_del(struct objset *s, const char *id)
{
	size_t i = s->slots ? locate(s, id, id_hash(id)) : 0;
	struct objset_entry *e = s->slots ? s->slots[i] : NULL;

	if (!e)
		return false;
	toggle(s, e);
	s->count--;
	s->bytes -= entry_bytes(e);
	close_gap(s, i);
	free(e);
	return true;
}

struct objset_entry *objset_next(const struct objset *s, size_t *i)
{
	while (s->slots && *i <= s->mask) {
		struct objset_entry *e = s->slots[(*i)++];

		if (e)
			return e;
	}
	return NULL;
}

void objset_buckets(const struct objset *s, struct digest ret[OBJSET_BUCKETS])
{
	struct objset_entry *e;

	memset(ret, 0, OBJSET_BUCKETS * sizeof(*ret));
	for (size_t i = 0; (e = objset_next(s, &i));) {
		struct digest one = object_digest(e->id, &e->v);

		digest_xor(&ret[e->hash & (OBJSET_BUCKETS - 1)], &one);
	}
}

size_t objset_bytes(const struct objset *s)
{
	return s->bytes + (s->slots ? (s->mask + 1) * sizeof(*s->slots) : 0);
}
