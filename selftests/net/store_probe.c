// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_probe.c - asks the store from a script
 *
 *	store_probe WHERE put KEY VALUE		"done REVISION" or "error NAME TEXT", status 1; reads
 *						first, and writes over what it read, unless it is there
 *	store_probe WHERE get KEY		"value TEXT" or "nothing", " stale" behind it without quorum
 *	store_probe WHERE watch PREFIX FROM	"REVISION KEY=VALUE", "REVISION KEY" where it went; for ever
 *	store_probe WHERE lead KEY NAME TTL_MS	"elected", "lost", with the uptime in ms; for ever
 *
 * The environment's STORE_CA, STORE_CERT and STORE_KEY name the files for TLS,
 * STORE_TIMEOUT_MS is that of the options.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include <ctl/controller/store.h>
#include <ctl/controller/store_election.h>

static struct event_base *base;
static int status;

static long long uptime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static bool failed(const struct store_reply *r)
{
	if (!r->err)
		return false;
	printf("error %s %s\n", strerrorname_np(-r->err), r->text);
	status = 1;
	return true;
}

static struct store *store;
static struct store_op op;

static void on_put(void *arg, const struct store_reply *r)
{
	(void)arg;
	if (!failed(r))
		printf("done %lld\n", (long long)r->revision);
	event_base_loopbreak(base);
}

static void on_read(void *arg, const struct store_reply *r)
{
	struct store_compare as_read = { .key = op.key, .mod_revision = r->n ? r->kvs[0].mod_revision : 0 };

	(void)arg;
	if (r->err || (!r->stale && r->n && !strcmp(r->kvs[0].value, op.value)))
		on_put(NULL, r);
	else
		store_txn(store, &as_read, 1, &op, 1, on_put, NULL);
}

static void on_get(void *arg, const struct store_reply *r)
{
	(void)arg;
	if (!failed(r))
		printf("%s%s%s\n", r->n ? "value " : "nothing", r->n ? r->kvs[0].value : "",
		       r->stale ? " stale" : "");
	event_base_loopbreak(base);
}

static void on_change(void *arg, const struct store_change *c)
{
	(void)arg;
	if (c->err)
		printf("error %s %s\n", strerrorname_np(-c->err), c->text);
	for (unsigned int i = 0; i < c->n; i++)
		printf("%lld %s%s%s\n", (long long)c->revision, c->events[i].kv.key,
		       c->events[i].del ? "" : "=", c->events[i].kv.value);
}

static void on_elected(void *arg, int64_t token)
{
	printf("elected %lld at %lld\n", (long long)token, uptime_ms());
	(void)arg;
}

static void on_lost(void *arg, const char *why)
{
	printf("lost: %s at %lld\n", why, uptime_ms());
	(void)arg;
}

static int start(struct store *s, int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[2], "put")) {
		op = (struct store_op){ .key = argv[3], .value = argv[4], .value_len = strlen(argv[4]) };
		store = s;
		store_get(s, op.key, on_read, NULL);
	} else if (argc == 4 && !strcmp(argv[2], "get")) {
		store_get(s, argv[3], on_get, NULL);
	} else if (argc == 5 && !strcmp(argv[2], "watch")) {
		store_watch(s, argv[3], atoll(argv[4]), on_change, NULL);
	} else if (argc == 6 && !strcmp(argv[2], "lead")) {
		struct store_election_options o = { .store = s, .base = base, .key = argv[3], .value = argv[4],
						    .ttl_ms = (unsigned int)atoi(argv[5]),
						    .elected = on_elected, .lost = on_lost };

		store_election_new(&o);
	} else {
		fprintf(stderr, "store_probe: see its first comment\n");
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct store_options o = { .where = argc > 1 ? argv[1] : "", .ca = getenv("STORE_CA"),
				   .cert = getenv("STORE_CERT"), .key = getenv("STORE_KEY"),
				   .timeout_ms = (unsigned int)atoi(getenv("STORE_TIMEOUT_MS") ?: "0") };
	struct store *s;
	struct error e;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	if (store_open(base, &o, &s, &e)) {
		printf("error %s %s\n", strerrorname_np(-e.err), e.text);
		return 1;
	}
	status = start(s, argc, argv);
	if (!status)
		event_base_dispatch(base);
	store_close(s);
	event_base_free(base);
	return status;
}
