/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c - the agent's side of the host protocol: the life of a session
 *
 * See also: session_msg.c (what is said), backoff.h.
 */
#include <agent/session.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include <agent/agent.h>
#include <agent/backoff.h>
#include <agent/session_internal.h>
#include <lib/clock.h>
#include <lib/log.h>

#define GREET_MAX_MS 10000u		/* from dialling until welcome */
#define PINGS_UNHEARD 3u		/* a peer that says nothing for so many pings is gone */
#define STABLE_MS 10000u		/* a session that lasted so long was a good one */

static void arm(struct session *s, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(s->timer, &tv);
}

/* The one place where the state changes. */
static void transition(struct session *s, enum session_state to)
{
	s->state = to;
	s->since_ns = clock_now_ns();
}

/* Failing. */

static uint64_t dice(void)
{
	uint64_t value = 0;

	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		value = clock_now_ns() * 0x9e3779b97f4a7c15ull;
	return value;
}

static void note_error(struct session *s, const struct error *why)
{
	bool news = strcmp(s->last_error, why->text) != 0;

	snprintf(s->last_error, sizeof(s->last_error), "%s", why->text);
	if (news || s->state == SESSION_UP)
		log_warn("no controller, everything stays as it is", "controller",
			 s->endpoints[s->current], "why", why->text);
}

static void wait_and_retry(struct session *s, const struct error *why)
{
	uint64_t lasted = clock_now_ns() - s->since_ns;
	uint32_t ms;

	note_error(s, why);
	if (s->state == SESSION_UP && lasted >= STABLE_MS * NS_PER_MS)
		s->failures = 0;
	s->failures++;
	s->current = (s->current + 1) % s->n_endpoints;
	transition(s, SESSION_WAITING);
	ms = backoff_ms(s->failures, dice());
	s->next_ns = s->since_ns + ms * NS_PER_MS;
	arm(s, ms);
}

static void on_down(const struct error *why, void *arg)
{
	struct session *s = arg;

	state_session_over(s->agent->state);
	s->hello_due = false;
	wait_and_retry(s, why);
}

void session_fail(struct session *s, const struct error *why)
{
	link_hang_up(s->link, why);
}

/* Going up. */

static void dial(struct session *s)
{
	struct error e = {};

	transition(s, SESSION_CONNECTING);
	if (link_dial(s->link, s->endpoints[s->current], &e))
		wait_and_retry(s, &e);
	else
		arm(s, GREET_MAX_MS);
}

static void on_up(void *arg)
{
	struct session *s = arg;

	transition(s, SESSION_GREETING);
	s->heard_ns = s->since_ns;
	s->last_seq = 0;
	s->reported = (struct digest){};
	session_try_hello(s);
}

void session_welcomed(struct session *s)
{
	transition(s, SESSION_UP);
	s->last_error[0] = '\0';
	log_info("controller connected", "controller", s->endpoints[s->current], "revision",
		 log_fmt("%llu", (unsigned long long)state_revision(s->agent->state)));
	session_say_bindings(s);
	session_report(s);
	arm(s, s->ping_ms);
}

void session_hurry(struct session *s)
{
	if (s->state == SESSION_WAITING)
		arm(s, 0);
}

void session_tick(struct session *s)
{
	if (s->hello_due)
		session_try_hello(s);
	session_report(s);
}

static void on_frame(const cJSON *msg, void *arg)
{
	struct session *s = arg;

	s->heard_ns = clock_now_ns();
	session_hear(s, msg);
}

/* Up: a ping now and then; before that: the time is over. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	struct error e;

	(void)fd, (void)what;
	switch (s->state) {
	case SESSION_WAITING:
		dial(s);
		return;
	case SESSION_CONNECTING:
	case SESSION_GREETING:
		error_set(&e, -ETIMEDOUT, "no %s within %u s", s->state == SESSION_CONNECTING ?
			  "connection" : "welcome", GREET_MAX_MS / 1000);
		break;
	case SESSION_UP:
		if (clock_now_ns() - s->heard_ns <= PINGS_UNHEARD * s->ping_ms * NS_PER_MS) {
			session_ping(s);
			arm(s, s->ping_ms);
			return;
		}
		error_set(&e, -ETIMEDOUT, "not heard of for %u s",
			  PINGS_UNHEARD * s->ping_ms / 1000);
		break;
	}
	session_fail(s, &e);
}

/* Life. */

static int split_endpoints(struct session *s, const char *list, struct error *e)
{
	char *rest, *one;

	s->list = strdup(list);
	if (!s->list)
		return error_set(e, -ENOMEM, "no memory");
	for (rest = s->list; (one = strsep(&rest, ","));) {
		if (!*one)
			continue;
		if (!strrchr(one, ':') || !strrchr(one, ':')[1])
			return error_set(e, -EINVAL, "--controller: %s has no port; HOST:PORT is wanted",
					 one);
		if (s->n_endpoints == SESSION_ENDPOINTS_MAX)
			return error_set(e, -EINVAL, "--controller: more than %u endpoints",
					 SESSION_ENDPOINTS_MAX);
		s->endpoints[s->n_endpoints++] = one;
	}
	return s->n_endpoints ? 0 : error_set(e, -EINVAL, "--controller: names nobody");
}

int session_new(struct agent *a, struct session **ret, struct error *e)
{
	const struct tls_files files = { a->options.ca, a->options.cert, a->options.key };
	struct session *s = calloc(1, sizeof(*s));
	const struct link_events events = { on_up, on_frame, on_down, s };
	const struct state_listener listener = {
		.done = session_ack, .bindings_changed = session_say_binding, .arg = s,
	};
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "no memory");
	s->agent = a;
	s->usage_ms = USAGE_MS_DEFAULT;
	err = split_endpoints(s, a->options.controllers, e);
	if (!err) {
		s->timer = evtimer_new(a->base, on_timer, s);
		err = s->timer ? 0 : error_set(e, -ENOMEM, "no memory for a timer");
	}
	if (!err)
		err = link_new(a->base, &files, a->options.name, &events, &s->link, e);
	if (err) {
		session_free(s);
		return err;
	}
	state_listen(a->state, &listener);
	/* Hosts that start together go to different endpoints. */
	s->current = dice() % s->n_endpoints;
	transition(s, SESSION_WAITING);
	arm(s, 0);
	*ret = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	if (s->agent->state)
		state_listen(s->agent->state, &(struct state_listener){});
	link_free(s->link);
	if (s->timer)
		event_free(s->timer);
	free(s->list);
	free(s);
}

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {
		[SESSION_WAITING] = "waiting", [SESSION_CONNECTING] = "connecting",
		[SESSION_GREETING] = "greeting", [SESSION_UP] = "connected",
	};

	return names[state];
}

void session_show(const struct session *s, struct session_view *ret)
{
	*ret = (struct session_view){
		.state = s->state,
		.endpoint = s->endpoints[s->current],
		.since_ns = s->since_ns,
		.next_ns = s->next_ns,
		.failures = s->failures,
		.usage_ms = s->usage_ms,
		.updates = s->updates,
		.refused = s->refused,
		.last_error = s->last_error,
	};
}
