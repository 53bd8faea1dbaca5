// SPDX-License-Identifier: BSD-2-Clause
/*
 * fleet_session.c - one simulated host's session with the controller
 */
#include <selftests/bench/fleet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/util.h>

#include <lib/clock.h>
#include <lib/msg.h>

#define BACKOFF_MIN_MS 500u		/* as docs/protocol.md has it for agents */
#define BACKOFF_MAX_MS 30000u

static void send_msg(struct sim_host *h, cJSON *msg)
{
	struct evbuffer *out = bufferevent_get_output(h->bev);
	size_t before = evbuffer_get_length(out);

	if (msg_send(out, msg)) {
		fprintf(stderr, "fleet: %s: cannot send\n", h->name);
		exit(1);
	}
	h->fleet->bytes_out += evbuffer_get_length(out) - before;
}

void fleet_check(struct fleet *f)
{
	if (!f->waiting || f->n_correct != f->n_hosts || f->n_welcomed != f->n_hosts)
		return;
	f->waiting = false;
	printf("{\"event\": \"correct\", \"ms\": %.1f, \"updates\": %llu, \"objects\": %llu, "
	       "\"bytes_in\": %llu, \"bytes_out\": %llu, \"failures\": %llu}\n",
	       (clock_now_ns() - f->began_ns) / 1e6, (unsigned long long)f->n_updates,
	       (unsigned long long)f->n_objects, (unsigned long long)f->bytes_in,
	       (unsigned long long)f->bytes_out, (unsigned long long)f->n_failures);
	fflush(stdout);
}

void sim_host_check(struct sim_host *h)
{
	bool correct = h->have.count == h->expected;

	h->fleet->n_correct += correct - h->counted;
	h->counted = correct;
	fleet_check(h->fleet);
}

static void take_welcome(struct sim_host *h)
{
	if (!h->welcomed)
		h->fleet->n_welcomed++;
	h->welcomed = true;
	h->failures = 0;
	sim_host_check(h);
}

static void answer_query(struct sim_host *h, const cJSON *msg)
{
	struct digest digests[OBJSET_BUCKETS];
	struct objset_entry *entry;
	struct msg_query q;
	struct error e = {};
	char v[DIGEST_STRLEN];

	if (msg_read_query(msg, &q, &e))
		return;
	if (q.buckets) {
		objset_buckets(&h->have, digests);
		send_msg(h, msg_buckets(digests));
		return;
	}
	for (unsigned int i = 0; i < q.n; i++) {
		cJSON *objects = msg_objects(q.bucket[i]);

		for (size_t k = 0; (entry = objset_next(&h->have, &k));)
			if (objset_bucket(entry->id) == q.bucket[i])
				msg_objects_add(objects, entry->id, digest_format(&entry->v, v));
		send_msg(h, objects);
	}
}

static const char *text(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static void take_update(struct sim_host *h, const cJSON *msg)
{
	struct msg_update u;
	struct msg_ack ack = {};
	struct error e = {};
	const cJSON *item;
	struct digest v;

	if (msg_read_update(msg, &u, &e)) {
		fprintf(stderr, "fleet: %s: bad update: %s\n", h->name, e.text);
		return;
	}
	cJSON_ArrayForEach(item, u.set) {
		digest_parse(text(item, "v"), &v);
		objset_put(&h->have, text(item, "id"), &v);
		h->fleet->n_objects++;
		traffic_object(h->fleet->traffic, text(item, "id"), true);
	}
	cJSON_ArrayForEach(item, u.del) {
		objset_del(&h->have, cJSON_GetStringValue(item));
		traffic_object(h->fleet->traffic, cJSON_GetStringValue(item), false);
	}
	if (u.more)
		return;
	h->fleet->n_updates++;
	ack.seq = u.seq;
	ack.revision = u.revision;
	ack.digest = h->have.root;
	send_msg(h, msg_ack(&ack));
	sim_host_check(h);
}

static void take(struct sim_host *h, const cJSON *msg)
{
	struct error e = {};
	uint64_t n;

	switch (msg_kind(msg)) {
	case MSG_WELCOME:
		take_welcome(h);
		break;
	case MSG_QUERY:
		answer_query(h, msg);
		break;
	case MSG_UPDATE:
		take_update(h, msg);
		break;
	case MSG_PING:
		if (!msg_read_ping(msg, &n, &e))
			send_msg(h, msg_pong(n));
		break;
	case MSG_ERROR:
		fprintf(stderr, "fleet: %s: the controller says: %s\n", h->name,
			msg_error_text(msg));
		break;
	default:
		break;
	}
}

static void retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	sim_host_connect(arg);
}

/* Closes the session; if the fleet is up, another follows after a random while. */
static void lost(struct sim_host *h)
{
	uint32_t bound = BACKOFF_MIN_MS << (h->failures < 6 ? h->failures : 6), ms;
	struct timeval delay;

	bufferevent_free(h->bev);
	h->bev = NULL;
	if (h->welcomed)
		h->fleet->n_welcomed--;
	h->welcomed = false;
	if (!h->fleet->up)
		return;
	h->failures++;
	h->fleet->n_failures++;
	ms = rand() % (bound < BACKOFF_MAX_MS ? bound : BACKOFF_MAX_MS);
	delay = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	if (!h->retry)
		h->retry = evtimer_new(h->fleet->base, retry, h);
	evtimer_add(h->retry, &delay);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct sim_host *h = arg;
	struct error e = {};
	cJSON *msg;
	int n;

	for (;;) {
		size_t before = evbuffer_get_length(in);

		n = msg_take(in, &msg, &e);
		h->fleet->bytes_in += before - evbuffer_get_length(in);
		if (n <= 0)
			break;
		take(h, msg);
		cJSON_Delete(msg);
	}
	if (n < 0) {
		fprintf(stderr, "fleet: %s: %s\n", h->name, e.text);
		lost(h);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct sim_host *h = arg;
	struct msg_hello hello = { .host = h->name, .agent = "fleet", .digest = h->have.root,
				   .count = h->have.count };

	(void)bev;
	if (what & BEV_EVENT_CONNECTED)
		send_msg(h, msg_hello(&hello));
	else
		lost(h);
}

void sim_host_connect(struct sim_host *h)
{
	struct sockaddr_storage to;
	int len = sizeof(to);
	SSL *ssl = tls_open(h->tls);

	if (!ssl || evutil_parse_sockaddr_port(h->fleet->address, (struct sockaddr *)&to, &len)) {
		fprintf(stderr, "fleet: %s: no memory, or no address: %s\n", h->name,
			h->fleet->address);
		exit(1);
	}
	h->bev = bufferevent_openssl_socket_new(h->fleet->base, -1, ssl,
						BUFFEREVENT_SSL_CONNECTING,
						BEV_OPT_CLOSE_ON_FREE);
	bufferevent_openssl_set_allow_dirty_shutdown(h->bev, 1);
	bufferevent_setcb(h->bev, on_read, NULL, on_event, h);
	bufferevent_enable(h->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(h->bev, (struct sockaddr *)&to, len) && h->bev)
		lost(h);
}

void sim_host_drop(struct sim_host *h)
{
	if (h->retry)
		evtimer_del(h->retry);
	if (h->bev)
		lost(h);
}
