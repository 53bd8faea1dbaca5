/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_watch.c - a short list of the flows whose bytes somebody wants to know
 */
#include <agent/flow_watch.h>

#include <errno.h>
#include <stdlib.h>

#include <agent/flow_table.h>

#define LISTED 0x80u

int flow_watch_init(struct flow_watch *w, uint32_t n_flows)
{
	*w = (struct flow_watch){ .marks = calloc(n_flows, 1) };
	return w->marks ? 0 : -ENOMEM;
}

void flow_watch_done(struct flow_watch *w)
{
	free(w->marks);
	free(w->list);
	*w = (struct flow_watch){};
}

static bool append(struct flow_watch *w, uint32_t index)
{
	uint32_t cap = w->cap ? 2 * w->cap : 64, *more;

	if (w->n == w->cap) {
		more = reallocarray(w->list, cap, sizeof(*more));
		if (!more)
			return false;
		w->list = more;
		w->cap = cap;
	}
	w->list[w->n++] = index;
	return true;
}

/* An index that is in the list stays there until it is read, whoever has it by then. */
void flow_watch_set(struct flow_watch *w, uint32_t index, uint8_t way)
{
	uint8_t listed = w->marks[index] & LISTED;

	if (!listed && way && append(w, index))
		listed = LISTED;
	w->marks[index] = listed | (listed ? way : 0);
}

static bool is_watched(const struct flow_watch *w, const struct flow_table *t, uint32_t index)
{
	return w->marks[index] != LISTED && flow_table_is_published(t, index);
}

uint32_t flow_watch_collect(struct flow_watch *w, const struct flow_table *t,
			    struct flow_watched *ret, uint32_t max)
{
	uint32_t n = 0;

	while (w->next < w->n && n < max) {
		uint32_t index = w->list[w->next];
		const struct flow *flow = flow_table_get(t, index);

		if (!is_watched(w, t, index)) {
			w->marks[index] = 0;
			w->list[w->next] = w->list[--w->n];
			continue;
		}
		ret[n++] = (struct flow_watched){ index, flow->action.gen, w->marks[index] & ~LISTED,
						  flow->key };
		w->next++;
	}
	if (!n)
		w->next = 0;
	return n;
}
