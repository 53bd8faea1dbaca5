// SPDX-License-Identifier: BSD-2-Clause
/*
 * presence.c - how many instances of a network are on a host
 */
#include <ctl/controller/presence.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <xxhash.h>

struct presence {
	const struct host *host;
	const struct network *net;
	uint32_t n;
};

static uint64_t presence_hash(const void *entry)
{
	const struct presence *p = entry;

	return XXH3_64bits_withSeed(&p->host, sizeof(p->host), (uintptr_t)p->net);
}

static bool presence_same(const void *a, const void *b)
{
	const struct presence *x = a, *y = b;

	return x->host == y->host && x->net == y->net;
}

static struct presence *find(const struct index *x, const struct host *host,
			     const struct network *net)
{
	return index_find(x, &(struct presence){ .host = host, .net = net });
}

void presence_init(struct index *x)
{
	index_init(x, presence_hash, presence_same);
}

void presence_done(struct index *x)
{
	struct presence *p;

	for (size_t i = 0; (p = index_next(x, &i));)
		free(p);
	index_done(x);
}

int presence_add(struct index *x, const struct host *host, const struct network *net)
{
	struct presence *p = find(x, host, net);
	int err;

	if (p) {
		p->n++;
		return 0;
	}
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct presence){ .host = host, .net = net, .n = 1 };
	err = index_add(x, p);
	if (err)
		free(p);
	return err;
}

void presence_del(struct index *x, const struct host *host, const struct network *net)
{
	struct presence *p = find(x, host, net);

	assert(p);
	if (--p->n)
		return;
	index_del(x, p);
	free(p);
}

uint32_t presence_count(const struct index *x, const struct host *host, const struct network *net)
{
	const struct presence *p = find(x, host, net);

	return p ? p->n : 0;
}
