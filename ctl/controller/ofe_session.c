// SPDX-License-Identifier: BSD-2-Clause
/*
 * ofe_session.c - one agent's connection: who it is, what it may, where its messages go
 */
#include <ctl/controller/ofe_internal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <xxhash.h>

#include <lib/clock.h>
#include <lib/log.h>

#define HELLO_NS (30 * NS_PER_S)	/* to finish TLS and say hello */
#define STUCK_NS (30 * NS_PER_S)	/* output that nobody takes */
#define LINGER_NS (2 * NS_PER_S)	/* for the last words of a session that closes */
#define MESSAGES_BURST 2000.0
#define MESSAGES_PER_S 500.0
#define BYTES_BURST (64.0 * (1 << 20))
#define BYTES_PER_S (8.0 * (1 << 20))
#define INPUT_MAX (MSG_FRAME_MAX + 65536u)
#define OUTPUT_LOW (128u << 10)		/* below it the leader hears that there is room */

static uint64_t host_hash(const void *entry)
{
	const struct ofe_session *s = entry;

	return XXH3_64bits(s->host, strlen(s->host));
}

static bool host_same(const void *a, const void *b)
{
	return !strcmp(((const struct ofe_session *)a)->host, ((const struct ofe_session *)b)->host);
}

void ofe_index_init(struct ofe *f)
{
	index_init(&f->by_host, host_hash, host_same);
}

/* Away from the leader. */
static void detach(struct ofe_session *s)
{
	void *upstream = s->upstream;

	s->upstream = NULL;
	if (upstream)
		s->leader->detach(upstream);
	s->leader = NULL;
	s->lost = false;
}

void ofe_session_free(struct ofe_session *s, const char *why)
{
	struct ofe *f = s->ofe;

	detach(s);
	if (why)
		log_info("session ended", "host", *s->host ? s->host : s->peer, "why", why);
	index_del(&f->by_host, s);
	TAILQ_REMOVE(&f->sessions, s, all);
	f->n_sessions--;
	if (s->state == OFE_HANDSHAKE)
		ofe_handshake_over(f);
	bufferevent_free(s->bev);
	free(s);
}

static void put(struct ofe_session *s, cJSON *msg)
{
	s->ofe->stats.out_messages++;
	if (msg_send(bufferevent_get_output(s->bev), msg))
		log_warn("a message could not be sent", "host", s->host);
}

/* Says why, and ends once that is written. Nothing is read any more. */
static void close_soon(struct ofe_session *s, const char *why)
{
	if (s->state == OFE_CLOSING)
		return;
	s->ofe->stats.refused++;
	log_warn("session is closed", "host", *s->host ? s->host : s->peer, "from", s->peer, "why",
		 why);
	put(s, msg_error(why));
	if (s->state == OFE_HANDSHAKE)
		ofe_handshake_over(s->ofe);
	index_del(&s->ofe->by_host, s);
	s->state = OFE_CLOSING;
	s->born_ns = clock_now_ns();
	bufferevent_disable(s->bev, EV_READ);
}

/* What the leader calls. It may do so while it attaches us, so nothing is freed here. */

static void front_send(void *arg, const char *text, size_t len)
{
	struct ofe_session *s = arg;

	s->ofe->stats.out_messages++;
	if (msg_put_text(bufferevent_get_output(s->bev), text, len))
		close_soon(s, "a message was too large");
}

static size_t front_backlog(void *arg)
{
	struct ofe_session *s = arg;

	return evbuffer_get_length(bufferevent_get_output(s->bev));
}

static void front_close(void *arg, const char *why)
{
	close_soon(arg, why);
}

static void front_lost(void *arg)
{
	struct ofe_session *s = arg;

	s->lost = true;
}

static const struct vmc_front front = { front_send, front_backlog, front_close, front_lost };

void ofe_session_lead(struct ofe_session *s)
{
	const struct ofe_upstream *leader;

	if (s->state != OFE_UP)
		return;
	leader = s->ofe->o.leader(s->ofe->o.arg, s->host);
	if (leader == s->leader && s->upstream && !s->lost)
		return;
	detach(s);
	s->leader = leader;
	if (leader)
		s->upstream = leader->attach(leader->arg, s->host, &s->digest, &front, s);
}

/* Messages. */

static void greet(struct ofe_session *s, const cJSON *msg)
{
	struct msg_welcome welcome = { MSG_VERSION, s->ofe->o.usage_ms, s->ofe->o.ping_ms };
	struct error e = {};
	struct msg_hello h;
	struct ofe_session *old;

	if (msg_kind(msg) != MSG_HELLO || msg_read_hello(msg, &h, &e)) {
		close_soon(s, *e.text ? e.text : "the first message must be hello");
		return;
	}
	if (strcmp(h.host, s->host)) {
		log_warn("a host claims to be another", "certificate", s->host, "claims", h.host, "from",
			 s->peer);
		close_soon(s, "the certificate is of another host than hello says");
		return;
	}
	if (!h.speaks_ours) {
		close_soon(s, "no common version of the protocol; version 1 is spoken here");
		return;
	}
	old = index_find(&s->ofe->by_host, s);
	if (old) {
		detach(old);
		close_soon(old, "another session of this host has begun");
	}
	if (index_add(&s->ofe->by_host, s)) {
		close_soon(s, "the controller is out of memory");
		return;
	}
	s->digest = h.digest;
	s->state = OFE_UP;
	put(s, msg_welcome(&welcome));
	log_debug("session", "host", s->host, "from", s->peer, "agent", h.agent);
	ofe_session_lead(s);
}

static void remember(struct ofe_session *s, const cJSON *msg)
{
	struct msg_ack a;

	if (msg_kind(msg) == MSG_ACK && !msg_read_ack(msg, &a, NULL))
		s->digest = a.digest;
}

static void pass_on(struct ofe_session *s, const cJSON *msg)
{
	struct error e = {};
	int err;

	remember(s, msg);
	if (!s->upstream || s->lost)
		return;			/* whoever leads next will ask for what matters */
	err = s->leader->message(s->upstream, msg, &e);
	if (err == -EBADMSG)
		close_soon(s, e.text);
	else if (err)
		close_soon(s, "the controller is out of memory for this");
}

static void handle(struct ofe_session *s, const cJSON *msg)
{
	struct error e = {};
	uint64_t n;

	if (s->state == OFE_GREETING) {
		greet(s, msg);
		return;
	}
	switch (msg_kind(msg)) {
	case MSG_PING:
		if (msg_read_ping(msg, &n, &e))
			close_soon(s, e.text);
		else
			put(s, msg_pong(n));
		return;
	case MSG_PONG:
		return;
	case MSG_HELLO:
		close_soon(s, "hello was said already");
		return;
	default:
		pass_on(s, msg);
	}
}

static void refill(struct ofe_session *s, uint64_t now_ns)
{
	double seconds = (now_ns - s->refilled_ns) / (double)NS_PER_S;

	s->refilled_ns = now_ns;
	s->messages += seconds * MESSAGES_PER_S;
	s->bytes += seconds * BYTES_PER_S;
	if (s->messages > MESSAGES_BURST)
		s->messages = MESSAGES_BURST;
	if (s->bytes > BYTES_BURST)
		s->bytes = BYTES_BURST;
}

static void throttle(struct ofe_session *s)
{
	if (!s->throttled)
		s->ofe->stats.throttled++;
	s->throttled = true;
	bufferevent_disable(s->bev, EV_READ);
}

static void read_messages(struct ofe_session *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	struct error e = {};
	size_t before;
	cJSON *msg;
	int n = 0;

	s->heard_ns = clock_now_ns();
	refill(s, s->heard_ns);
	while (s->state != OFE_CLOSING) {
		if (s->messages < 1 || s->bytes < 0) {
			throttle(s);
			return;
		}
		before = evbuffer_get_length(in);
		n = msg_take(in, &msg, &e);
		if (n != 1)
			break;
		s->messages--;
		s->bytes -= before - evbuffer_get_length(in);
		s->ofe->stats.in_messages++;
		s->ofe->stats.in_bytes += before - evbuffer_get_length(in);
		handle(s, msg);
		cJSON_Delete(msg);
	}
	if (n < 0)
		close_soon(s, e.text);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_messages(arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct ofe_session *s = arg;

	s->progress_ns = clock_now_ns();
	if (s->state == OFE_CLOSING) {
		if (!evbuffer_get_length(bufferevent_get_output(bev)))
			ofe_session_free(s, NULL);
		return;
	}
	if (s->upstream && !s->lost)
		s->leader->drained(s->upstream);
}

static void identify(struct ofe_session *s)
{
	SSL *ssl = bufferevent_openssl_get_ssl(s->bev);
	struct tls_identity peer;
	struct error e = {};

	ofe_handshake_over(s->ofe);
	s->state = OFE_GREETING;
	s->ofe->stats.resumed += SSL_session_reused(ssl);
	if (tls_peer(ssl, &peer, &e)) {
		close_soon(s, e.text);
		return;
	}
	strcpy(s->host, peer.name);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct ofe_session *s = arg;
	char why[256];

	if (what & BEV_EVENT_CONNECTED) {
		identify(s);
		return;
	}
	if (s->state == OFE_HANDSHAKE)
		s->ofe->stats.refused++;
	tls_failure(bufferevent_openssl_get_ssl(bev), bufferevent_get_openssl_error(bev), why,
		    sizeof(why));
	ofe_session_free(s, why);
}

static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	struct ofe_session *s = arg;

	(void)out;
	s->ofe->stats.out_bytes += info->n_added;
	if (info->n_deleted || !info->orig_size)
		s->progress_ns = clock_now_ns();
}

void ofe_accepted(struct ofe *f, int fd, const char *peer)
{
	struct ofe_session *s = calloc(1, sizeof(*s));
	SSL *ssl = s ? tls_open(f->tls) : NULL;
	int on = 1;

	if (ssl)
		s->bev = bufferevent_openssl_socket_new(f->o.base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
							BEV_OPT_CLOSE_ON_FREE);
	if (!s || !s->bev) {
		log_warn("out of memory for a session", "from", peer);
		SSL_free(ssl);
		evutil_closesocket(fd);
		free(s);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->ofe = f;
	s->born_ns = s->heard_ns = s->progress_ns = s->refilled_ns = clock_now_ns();
	s->ping_ns = s->born_ns + (uint64_t)f->o.ping_ms * NS_PER_MS / 256 * (rand() & 255);
	s->messages = MESSAGES_BURST;
	s->bytes = BYTES_BURST;
	strncpy(s->peer, peer, sizeof(s->peer) - 1);
	TAILQ_INSERT_TAIL(&f->sessions, s, all);
	f->n_sessions++;
	f->n_handshakes++;
	bufferevent_openssl_set_allow_dirty_shutdown(s->bev, 1);
	evbuffer_add_cb(bufferevent_get_output(s->bev), on_output, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_setwatermark(s->bev, EV_WRITE, OUTPUT_LOW, 0);
	bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

/* Time. */

static const char *overdue(const struct ofe_session *s, uint64_t now_ns)
{
	uint64_t silence = 3 * (uint64_t)s->ofe->o.ping_ms * NS_PER_MS;

	if (s->state == OFE_CLOSING)
		return now_ns - s->born_ns > LINGER_NS ? "closed" : NULL;
	if (s->state != OFE_UP)
		return now_ns - s->born_ns > HELLO_NS ? "no hello in time" : NULL;
	if (evbuffer_get_length(bufferevent_get_output(s->bev)) &&
	    now_ns - s->progress_ns > STUCK_NS)
		return "it takes nothing of what it is sent";
	return !s->throttled && now_ns - s->heard_ns > silence ? "nothing was heard for too long" :
								 NULL;
}

void ofe_session_tick(struct ofe_session *s, uint64_t now_ns)
{
	const char *why = overdue(s, now_ns);

	if (why) {
		s->ofe->stats.dropped++;
		ofe_session_free(s, why);
		return;
	}
	if (s->state != OFE_UP)
		return;
	if (!s->upstream || s->lost)
		ofe_session_lead(s);
	if (now_ns >= s->ping_ns) {
		s->ping_ns = now_ns + (uint64_t)s->ofe->o.ping_ms * NS_PER_MS;
		put(s, msg_ping(now_ns / NS_PER_MS));
	}
	if (!s->throttled)
		return;
	refill(s, now_ns);
	if (s->messages < MESSAGES_PER_S / 10 || s->bytes < 0)
		return;
	s->throttled = false;
	bufferevent_enable(s->bev, EV_READ);
	read_messages(s);
}
