// SPDX-License-Identifier: BSD-2-Clause
/*
 * fleet_traffic.c - pairs of instances that send at constant rates
 *
 * A pair's bytes go by the hoverboards until its host has the object
 * direct/<network>/<src>/<dst>, and straight from then on. The host reports as the agent
 * does, by agent/usage.c. Measured: the share of bytes by hoverboards, second by
 * second, and for each pair the time from its first report above the threshold to
 * the object.
 */
#include <selftests/bench/fleet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <xxhash.h>

#include <agent/usage.h>
#include <lib/addr.h>
#include <lib/clock.h>
#include <lib/msg.h>

#define TICK_MS 100
#define THRESHOLD_BPS 20000
#define ID_LEN 192

struct flow {
	struct sim_host *host;
	char network[MSG_NAME_MAX + 1];
	char src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN];
	struct ip_addr src_addr, dst_addr;
	uint64_t bps;
	bool direct;
	uint64_t reported_ns, latency_ns;	/* 0: not yet */
};

struct sender {
	struct sim_host *host;
	struct usage *usage;
	uint32_t first, n;		/* its flows: they lie side by side */
};

struct traffic {
	struct fleet *fleet;
	struct flow *flows;
	struct sender *senders;
	uint32_t n_flows, n_senders;
	uint32_t *by_id;		/* flow + 1 by hash of the object's id */
	uint32_t mask;
	struct event *tick;
	uint64_t last_ns, end_ns, hoverboard_bytes, direct_bytes;
	uint64_t returned;		/* to the hoverboards */
	uint64_t second_ns, second_hoverboard, second_direct;
	double last_share;		/* of the last whole second */
};

static void flow_id(const struct flow *f, char id[ID_LEN])
{
	snprintf(id, ID_LEN, "direct/%s/%s/%s", f->network, f->src, f->dst);
}

static uint32_t *slot_of(struct traffic *t, const char *id)
{
	uint32_t i = XXH3_64bits(id, strlen(id)) & t->mask;
	char other[ID_LEN];

	for (; t->by_id[i]; i = (i + 1) & t->mask) {
		flow_id(&t->flows[t->by_id[i] - 1], other);
		if (!strcmp(id, other))
			break;
	}
	return &t->by_id[i];
}

void traffic_object(struct traffic *t, const char *id, bool present)
{
	struct flow *f;
	uint32_t i;

	if (!t || strncmp(id, "direct/", 7))
		return;
	i = *slot_of(t, id);
	if (!i)
		return;
	f = &t->flows[i - 1];
	t->returned += f->direct && !present;
	f->direct = present;
	if (present && f->reported_ns && !f->latency_ns)
		f->latency_ns = clock_now_ns() - f->reported_ns;
}

/* Reading. */

static struct sim_host *host_named(struct fleet *f, const char *name, struct sim_host *last)
{
	if (last && !strcmp(last->name, name))
		return last;
	for (uint32_t i = 0; i < f->n_hosts; i++)
		if (!strcmp(f->hosts[i].name, name))
			return &f->hosts[i];
	return NULL;
}

static int read_flows(struct traffic *t, FILE *list)
{
	char name[TLS_NAME_LEN];
	struct sim_host *host = NULL;
	unsigned long bps;
	struct flow f;

	memset(&f, 0, sizeof(f));
	while (fscanf(list, "%63s %63s %45s %45s %lu", name, f.network, f.src, f.dst, &bps) == 5) {
		host = host_named(t->fleet, name, host);
		if (!host || ip_addr_parse(f.src, &f.src_addr) || ip_addr_parse(f.dst, &f.dst_addr))
			return -EINVAL;
		if (!(t->n_flows & (t->n_flows - 1)) || !t->n_flows) {
			t->flows = realloc(t->flows, (t->n_flows * 2 + 1) * sizeof(f));
			if (!t->flows)
				return -ENOMEM;
		}
		f.host = host;
		f.bps = bps;
		t->flows[t->n_flows++] = f;
	}
	return t->n_flows ? 0 : -ENODATA;
}

static int by_host(const void *a, const void *b)
{
	const struct flow *x = a, *y = b;

	return (x->host > y->host) - (x->host < y->host);
}

static int group(struct traffic *t)
{
	char id[ID_LEN];

	qsort(t->flows, t->n_flows, sizeof(t->flows[0]), by_host);
	for (t->mask = 1; t->mask < 2 * t->n_flows; t->mask *= 2)
		;
	t->by_id = calloc(t->mask--, sizeof(t->by_id[0]));
	t->senders = calloc(t->n_flows, sizeof(t->senders[0]));
	if (!t->by_id || !t->senders)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_flows; i++) {
		struct sim_host *host = t->flows[i].host;

		if (!t->n_senders || t->senders[t->n_senders - 1].host != host)
			t->senders[t->n_senders++] = (struct sender){ .host = host, .first = i };
		t->senders[t->n_senders - 1].n++;
		flow_id(&t->flows[i], id);
		*slot_of(t, id) = i + 1;
		t->flows[i].direct = objset_find(&host->have, id);
	}
	for (uint32_t i = 0; i < t->n_senders; i++) {
		t->senders[i].usage = usage_new(2 * t->senders[i].n);
		if (!t->senders[i].usage)
			return -ENOMEM;
	}
	return 0;
}

int traffic_new(struct fleet *f, const char *path, struct traffic **ret)
{
	struct traffic *t = calloc(1, sizeof(*t));
	FILE *list = fopen(path, "r");
	int err = t && list ? 0 : -ENOENT;

	if (!err) {
		t->fleet = f;
		err = read_flows(t, list);
	}
	if (!err)
		err = group(t);
	if (list)
		fclose(list);
	if (err)
		traffic_free(t);
	else
		*ret = t;
	return err;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->n_senders; i++)
		usage_free(t->senders[i].usage);
	if (t->tick)
		event_free(t->tick);
	free(t->senders);
	free(t->by_id);
	free(t->flows);
	free(t);
}

/* Sending. */

/* The usage table's `vni` carries the flow's number here, so that a report finds its flow again. */
static void send_bytes(struct traffic *t, struct sender *s, uint64_t now, uint64_t elapsed)
{
	for (uint32_t i = s->first; i < s->first + s->n; i++) {
		struct flow *f = &t->flows[i];
		uint64_t bytes = f->bps / 8 * elapsed / NS_PER_S;

		*(f->direct ? &t->direct_bytes : &t->hoverboard_bytes) += bytes;
		usage_add(s->usage, i, &f->src_addr, &f->dst_addr,
			  f->direct ? USAGE_DIRECT : USAGE_HOVERBOARD, THRESHOLD_BPS, bytes, now);
	}
}

static void report(struct traffic *t, struct sender *s, uint64_t now)
{
	struct usage_pair pairs[256];
	uint32_t n = usage_report(s->usage, now, pairs, 256);
	cJSON *msg;

	if (!n || !s->host->welcomed)
		return;
	msg = msg_usage();
	for (uint32_t i = 0; i < n; i++) {
		struct flow *f = &t->flows[pairs[i].vni];
		const struct msg_usage_pair pair = { f->network, f->src, f->dst, pairs[i].bps,
						     pairs[i].way == USAGE_DIRECT };

		if (!pair.direct && !f->reported_ns)
			f->reported_ns = now;
		msg_usage_add(msg, &pair);
	}
	msg_send(bufferevent_get_output(s->host->bev), msg);
}

static void count_second(struct traffic *t, uint64_t now)
{
	uint64_t by_board = t->hoverboard_bytes - t->second_hoverboard;
	uint64_t direct = t->direct_bytes - t->second_direct;

	if (now - t->second_ns < NS_PER_S || !(by_board + direct))
		return;
	t->last_share = (double)by_board / (by_board + direct);
	t->second_ns = now;
	t->second_hoverboard = t->hoverboard_bytes;
	t->second_direct = t->direct_bytes;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void conclude(struct traffic *t)
{
	uint64_t *latency = calloc(t->n_flows, sizeof(*latency)), n = 0, reported = 0, direct = 0;

	for (uint32_t i = 0; latency && i < t->n_flows; i++) {
		direct += t->flows[i].direct;
		reported += t->flows[i].reported_ns != 0;
		if (t->flows[i].latency_ns)
			latency[n++] = t->flows[i].latency_ns;
	}
	if (n)
		qsort(latency, n, sizeof(*latency), by_value);
	printf("{\"event\": \"traffic\", \"pairs\": %u, \"above\": %llu, \"direct\": %llu, "
	       "\"share_total\": %.6f, \"share_last_second\": %.6f, "
	       "\"offload_p50_ms\": %.2f, \"offload_p99_ms\": %.2f}\n",
	       t->n_flows, (unsigned long long)reported, (unsigned long long)direct,
	       (double)t->hoverboard_bytes / (t->hoverboard_bytes + t->direct_bytes),
	       t->last_share, n ? latency[n / 2] / 1e6 : -1.0, n ? latency[n * 99 / 100] / 1e6 : -1.0);
	fflush(stdout);
	free(latency);
}

void traffic_pairs(const struct traffic *t)
{
	uint32_t direct = 0;

	for (uint32_t i = 0; t && i < t->n_flows; i++)
		direct += t->flows[i].direct;
	printf("{\"event\": \"pairs\", \"direct\": %u, \"returned\": %llu}\n", direct,
	       t ? (unsigned long long)t->returned : 0);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct traffic *t = arg;
	uint64_t now = clock_now_ns(), elapsed = now - t->last_ns;

	(void)fd, (void)what;
	t->last_ns = now;
	for (uint32_t i = 0; i < t->n_senders; i++) {
		send_bytes(t, &t->senders[i], now, elapsed);
		report(t, &t->senders[i], now);
	}
	count_second(t, now);
	if (now < t->end_ns)
		return;
	event_del(t->tick);
	conclude(t);
}

void traffic_start(struct traffic *t, unsigned int seconds)
{
	const struct timeval period = { .tv_usec = TICK_MS * 1000 };

	t->last_ns = t->second_ns = clock_now_ns();
	t->end_ns = t->last_ns + seconds * NS_PER_S;
	t->tick = event_new(t->fleet->base, -1, EV_PERSIST, tick, t);
	event_add(t->tick, &period);
}
