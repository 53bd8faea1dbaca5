// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.c - mirach-controller: reads its options, opens the store, runs the loop
 *
 * One process is one controller; several share a store. Everything that decides is
 * on this one loop; threads are the store's own business.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>
#include <systemd/sd-daemon.h>

#include <ctl/controller/roles.h>
#include <ctl/controller/store.h>
#include <lib/log.h>
#include <lib/version.h>

#define STORE_DEFAULT "sqlite:/var/lib/mirach/store.db"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	struct store_options store;
	struct roles_options roles;
	enum log_level level;
	bool done;			/* said what was asked, nothing to run */
};

static const struct option_help {
	struct option option;
	const char *arg, *help;
} options[] = {
	{ { "store", required_argument, NULL, 's' }, "WHERE",
	  "sqlite:PATH or etcd:URL[,URL...] (default " STORE_DEFAULT ")" },
	{ { "store-ca", required_argument, NULL, 'A' }, "FILE", "etcd over https: authority, PEM" },
	{ { "store-cert", required_argument, NULL, 'C' }, "FILE", "etcd over https: our certificate" },
	{ { "store-key", required_argument, NULL, 'K' }, "FILE", "etcd over https: our private key" },
	{ { "api", required_argument, NULL, 'a' }, "ADDRESS:PORT",
	  "the API over TLS, like [::]:7443; needs --ca, --cert, --key" },
	{ { "api-plain", required_argument, NULL, 'P' }, "ADDRESS:PORT",
	  "the API without TLS, on a loopback address only" },
	{ { "api-socket", required_argument, NULL, 'S' }, "PATH",
	  "the API on a socket; whoever may open it is the operator" },
	{ { "api-idle", required_argument, NULL, 'I' }, "SECONDS",
	  "an API connection that stands still for so long is closed (default 30)" },
	{ { "api-connections", required_argument, NULL, 'm' }, "N",
	  "connections of each of these; more are answered with 503 (default 512)" },
	{ { "ca", required_argument, NULL, 'i' }, "FILE", "our authority, PEM: `mirachctl ca` makes one" },
	{ { "cert", required_argument, NULL, 'c' }, "FILE", "our certificate" },
	{ { "key", required_argument, NULL, 'k' }, "FILE", "our private key" },
	{ { "roles", required_argument, NULL, 'R' }, "LIST",
	  "of fm, vmc, ofe: what this process is (default fm,vmc,ofe)" },
	{ { "agents", required_argument, NULL, 'g' }, "ADDRESS:PORT",
	  "where agents connect, like [::]:6650; needs --ca, --cert, --key" },
	{ { "channel", required_argument, NULL, 'x' }, "ADDRESS:PORT",
	  "where other controllers of this store reach us; without it we lead all hosts" },
	{ { "name", required_argument, NULL, 'n' }, "NAME",
	  "of this controller among them (default: as in its certificate)" },
	{ { "shards", required_argument, NULL, 'N' }, "N",
	  "into how many shards hosts are divided, the same for all controllers (default 8)" },
	{ { "ping-ms", required_argument, NULL, 'p' }, "N",
	  "how often agents are asked whether they are there (default 10000)" },
	{ { "usage-ms", required_argument, NULL, 'u' }, "N",
	  "how often agents may report usage (default 50)" },
	{ { "offload-cold", required_argument, NULL, 'O' }, "SECONDS",
	  "a pair below half its threshold for so long goes back to the hoverboards (default 30)" },
	{ { "offloads-max", required_argument, NULL, 'M' }, "N",
	  "direct routes and permits of a host (default 1024)" },
	{ { "tokens", required_argument, NULL, 't' }, "FILE", "bearer tokens: `mirachctl token` makes them" },
	{ { "vni-range", required_argument, NULL, 'r' }, "FIRST-LAST",
	  "VNIs given to networks (default 1-16777215)" },
	{ { "log-level", required_argument, NULL, 'l' }, "LEVEL", "error, warn, info or debug" },
	{ { "version", no_argument, NULL, 'V' }, NULL, "says the version" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "says this" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static void print_help(FILE *out)
{
	char left[64];

	fputs("usage: mirach-controller [option...]\n\n", out);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", options[i].option.name,
			 options[i].arg ? " " : "", options[i].arg ?: "");
		fprintf(out, "  %-20s %s\n", left, options[i].help);
	}
}

static int usage_error(const char *what)
{
	fprintf(stderr, "mirach-controller: %s; --help lists what there is\n", what);
	return EXIT_USAGE;
}

static int set_vni_range(struct fm_options *o, const char *text)
{
	unsigned long first, last;
	int end = 0;

	if (sscanf(text, "%lu-%lu%n", &first, &last, &end) != 2 || text[end] || !first ||
	    first > last || last >= 1 << 24)
		return usage_error("--vni-range is like 4096-16777215");
	o->vni_min = first;
	o->vni_max = last;
	return 0;
}

static int set_roles(struct roles_options *o, char *list)
{
	static const struct {
		const char *name;
		enum role role;
	} roles[] = { { "fm", ROLE_FM }, { "vmc", ROLE_VMC }, { "ofe", ROLE_OFE } };
	char *save = NULL;

	o->roles = 0;
	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < 3 && strcmp(roles[i].name, word))
			i++;
		if (i == 3)
			return usage_error("--roles is a list of fm, vmc, ofe");
		o->roles |= roles[i].role;
	}
	return o->roles ? 0 : usage_error("--roles is a list of fm, vmc, ofe");
}

static const char *option_name(int c)
{
	size_t i = 0;

	while (options[i].option.val != c)
		i++;
	return options[i].option.name;
}

static int set_number(int c, unsigned int *ret)
{
	char *end, what[80];
	unsigned long n = strtoul(optarg, &end, 10);

	if (!*optarg || *end || !n || n > 3600000) {
		snprintf(what, sizeof(what), "--%s wants a number from 1 to 3600000", option_name(c));
		return usage_error(what);
	}
	*ret = n;
	return 0;
}

static int set_api_option(struct options *o, int c)
{
	const struct {
		int c;
		const char **text;
	} texts[] = {
		{ 'a', &o->roles.http.listen },   { 'P', &o->roles.http.plain },	{ 'S', &o->roles.http.socket },
		{ 'i', &o->roles.http.tls.ca },   { 'c', &o->roles.http.tls.cert }, { 'k', &o->roles.http.tls.key },
		{ 't', &o->roles.http.tokens },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].c == c) {
			*texts[i].text = optarg;
			return 0;
		}
	return usage_error("see the line above");
}

static int set_option(struct options *o, int c)
{
	switch (c) {
	case 'R':
		return set_roles(&o->roles, optarg);
	case 'g':
		o->roles.agents = optarg;
		return 0;
	case 'x':
		o->roles.channel = optarg;
		return 0;
	case 'n':
		o->roles.name = optarg;
		return 0;
	case 'N':
		return set_number(c, &o->roles.shards);
	case 'I':
		return set_number(c, &o->roles.http.idle_s);
	case 'm':
		return set_number(c, &o->roles.http.connections_max);
	case 'p':
		return set_number(c, &o->roles.ping_ms);
	case 'u':
		return set_number(c, &o->roles.usage_ms);
	case 'O':
		return set_number(c, &o->roles.cold_s);
	case 'M':
		return set_number(c, &o->roles.offloads_max);
	case 'r':
		return set_vni_range(&o->roles.fm, optarg);
	case 's':
		o->store.where = optarg;
		return 0;
	case 'A':
		o->store.ca = optarg;
		return 0;
	case 'C':
		o->store.cert = optarg;
		return 0;
	case 'K':
		o->store.key = optarg;
		return 0;
	case 'l':
		if (log_level_parse(optarg, &o->level))
			return usage_error("--log-level is one of error, warn, info, debug");
		return 0;
	case 'V':
		puts("mirach-controller " MIRACH_VERSION);
		o->done = true;
		return 0;
	case 'h':
		print_help(stdout);
		o->done = true;
		return 0;
	}
	return set_api_option(o, c);
}

static int read_options(int argc, char **argv, struct options *o)
{
	struct option longopts[N_OPTIONS + 1] = {};
	int c, status = 0;

	for (size_t i = 0; i < N_OPTIONS; i++)
		longopts[i] = options[i].option;
	while (!status && !o->done && (c = getopt_long(argc, argv, "s:l:Vh", longopts, NULL)) != -1)
		status = set_option(o, c);
	if (!status && !o->done && optind < argc)
		status = usage_error("it takes options only");
	return status;
}

static void stop(evutil_socket_t signal, short what, void *base)
{
	(void)signal;
	(void)what;
	event_base_loopbreak(base);
}

static void reload(evutil_socket_t signal, short what, void *roles)
{
	(void)signal;
	(void)what;
	roles_reload(roles);
}

static int run_roles(const struct options *o, struct event_base *base, struct store *store)
{
	struct roles *roles;
	struct event *hup;
	struct error e = {};

	if (roles_new(base, store, &o->roles, &roles, &e)) {
		log_error("cannot start", "error", e.text);
		return EXIT_FAILED;
	}
	hup = evsignal_new(base, SIGHUP, reload, roles);
	event_add(hup, NULL);
	log_info("ready", "store", o->store.where);
	sd_notify(0, "READY=1");
	event_base_dispatch(base);
	sd_notify(0, "STOPPING=1");
	event_free(hup);
	roles_free(roles);
	return 0;
}

/* Sessions are descriptors: as many as the system lets us have. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int run(const struct options *o)
{
	struct event_base *base = event_base_new();
	struct event *term = evsignal_new(base, SIGTERM, stop, base);
	struct event *intr = evsignal_new(base, SIGINT, stop, base);
	struct store *store;
	struct error e;
	int status;

	raise_limits();
	if (store_open(base, &o->store, &store, &e)) {
		log_error("cannot start", "error", e.text);
		status = EXIT_FAILED;
	} else {
		event_add(term, NULL);
		event_add(intr, NULL);
		status = run_roles(o, base, store);
		store_close(store);
	}
	event_free(term);
	event_free(intr);
	event_base_free(base);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = { .store.where = STORE_DEFAULT, .level = LOG_LEVEL_INFO,
			     .roles.roles = ROLES_ALL };
	int status = read_options(argc, argv, &o);

	if (status || o.done)
		return status;
	log_init("mirach-controller");
	log_set_level(o.level);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return run(&o);
}
