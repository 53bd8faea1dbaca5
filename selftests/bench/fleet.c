// SPDX-License-Identifier: BSD-2-Clause
/*
 * fleet.c - thousands of simulated hosts in one process
 *
 *	fleet --pki DIR --server ADDRESS:PORT --hosts FILE
 *
 * FILE: "name objects" a line, in how many objects the host ends when all is as declared.
 * Certificates that are missing are made. Then commands on standard input:
 *
 *	up			all dial; {"event": "correct", "ms": ...} once every host is
 *	down			all close; what they have stays with them
 *	forget			hosts lose what they have, as after a loss of their disks
 *	expect FILE		other numbers of objects; says "correct" when they are reached
 *	traffic FILE SECONDS	pairs send; {"event": "traffic", ...} at the end
 *	pairs			how many are sent straight now; returned: how many were before
 *	stats			counters since the last time
 *
 * See also: fleet.h, scale (the driver).
 */
#include <selftests/bench/fleet.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <ctl/cli/pki.h>
#include <lib/clock.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fleet: %s: %s\n", what, why);
	exit(1);
}

static void open_tls(const char *pki, struct sim_host *h)
{
	const struct pki_request r = { .role = TLS_HOST, .name = h->name, .days = 30 };
	char ca[PKI_PATH_LEN], crt[PKI_PATH_LEN], key[PKI_PATH_LEN];
	struct error e = {};

	snprintf(ca, sizeof(ca), "%s/ca.crt", pki);
	pki_path(pki, &r, "crt", crt);
	pki_path(pki, &r, "key", key);
	if (access(crt, R_OK) && pki_issue(pki, &r, &e))
		die(h->name, e.text);
	if (tls_new(false, &(struct tls_files){ ca, crt, key }, 1u << TLS_CONTROLLER, &h->tls, &e))
		die(h->name, e.text);
}

static FILE *open_list(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f)
		die(path, strerror(errno));
	return f;
}

static void read_hosts(struct fleet *f, const char *path, const char *pki)
{
	FILE *list = open_list(path);
	unsigned long expected;
	char name[TLS_NAME_LEN];
	uint32_t room = 0;

	while (fscanf(list, "%63s %lu", name, &expected) == 2) {
		struct sim_host *h;

		if (f->n_hosts == room) {
			room = room ? 2 * room : 1024;
			f->hosts = realloc(f->hosts, room * sizeof(*f->hosts));
			if (!f->hosts)
				die(path, "out of memory");
		}
		h = &f->hosts[f->n_hosts++];
		*h = (struct sim_host){ .expected = expected };
		strcpy(h->name, name);
		objset_init(&h->have);
	}
	fclose(list);
	for (uint32_t i = 0; i < f->n_hosts; i++) {
		f->hosts[i].fleet = f;
		open_tls(pki, &f->hosts[i]);
	}
}

static void begin(struct fleet *f)
{
	f->began_ns = clock_now_ns();
	f->waiting = true;
	f->bytes_in = f->bytes_out = f->n_updates = f->n_objects = f->n_failures = 0;
}

static void expect(struct fleet *f, const char *path)
{
	FILE *list = open_list(path);
	unsigned long expected;
	char name[TLS_NAME_LEN];

	begin(f);
	for (uint32_t i = 0; i < f->n_hosts && fscanf(list, "%63s %lu", name, &expected) == 2; i++) {
		f->hosts[i].expected = expected;
		sim_host_check(&f->hosts[i]);
	}
	fclose(list);
}

static void up(struct fleet *f)
{
	begin(f);
	f->up = true;
	for (uint32_t i = 0; i < f->n_hosts; i++)
		if (!f->hosts[i].bev)
			sim_host_connect(&f->hosts[i]);
}

static void down(struct fleet *f)
{
	f->up = false;
	for (uint32_t i = 0; i < f->n_hosts; i++)
		sim_host_drop(&f->hosts[i]);
	puts("{\"event\": \"down\"}");
}

static void forget(struct fleet *f)
{
	for (uint32_t i = 0; i < f->n_hosts; i++) {
		objset_done(&f->hosts[i].have);
		objset_init(&f->hosts[i].have);
		sim_host_check(&f->hosts[i]);
	}
	puts("{\"event\": \"forgot\"}");
}

static void stats(struct fleet *f)
{
	printf("{\"event\": \"stats\", \"welcomed\": %u, \"correct\": %u, \"updates\": %llu, "
	       "\"bytes_in\": %llu, \"bytes_out\": %llu, \"failures\": %llu}\n",
	       f->n_welcomed, f->n_correct, (unsigned long long)f->n_updates,
	       (unsigned long long)f->bytes_in, (unsigned long long)f->bytes_out,
	       (unsigned long long)f->n_failures);
	begin(f);
	f->waiting = false;
}

static void start_traffic(struct fleet *f, const char *path, unsigned int seconds)
{
	traffic_free(f->traffic);
	f->traffic = NULL;
	if (traffic_new(f, path, &f->traffic))
		die(path, "no traffic to be read from it");
	traffic_start(f->traffic, seconds);
}

static void run(struct fleet *f, char *line)
{
	char *word = strtok(line, " "), *path = strtok(NULL, " "), *number = strtok(NULL, " ");

	if (!word)
		return;
	if (!strcmp(word, "up"))
		up(f);
	else if (!strcmp(word, "down"))
		down(f);
	else if (!strcmp(word, "forget"))
		forget(f);
	else if (!strcmp(word, "expect") && path)
		expect(f, path);
	else if (!strcmp(word, "traffic") && path && number)
		start_traffic(f, path, atoi(number));
	else if (!strcmp(word, "pairs"))
		traffic_pairs(f->traffic);
	else if (!strcmp(word, "stats"))
		stats(f);
	else
		die(word, "no such command");
	fflush(stdout);
}

static void on_command(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF))) {
		run(arg, line);
		free(line);
	}
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
	struct fleet *f = arg;

	(void)bev, (void)what;
	event_base_loopbreak(f->base);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pki", required_argument, NULL, 'p' },
		{ "server", required_argument, NULL, 's' },
		{ "hosts", required_argument, NULL, 'h' },
		{},
	};
	const struct rlimit files = { 65536, 65536 };
	const char *pki = NULL, *hosts = NULL;
	struct fleet f = {};
	struct bufferevent *commands;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'p')
			pki = optarg;
		else if (c == 's')
			f.address = optarg;
		else if (c == 'h')
			hosts = optarg;
		else
			return 2;
	}
	if (!pki || !hosts || !f.address)
		die("usage", "fleet --pki DIR --server ADDRESS:PORT --hosts FILE");
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	f.base = event_base_new();
	read_hosts(&f, hosts, pki);
	evutil_make_socket_nonblocking(STDIN_FILENO);
	commands = bufferevent_socket_new(f.base, STDIN_FILENO, 0);
	bufferevent_setcb(commands, on_command, NULL, on_end, &f);
	bufferevent_enable(commands, EV_READ);
	printf("{\"event\": \"ready\", \"hosts\": %u}\n", f.n_hosts);
	fflush(stdout);
	event_base_dispatch(f.base);
	return 0;
}
