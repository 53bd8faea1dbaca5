/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - mirachd: options, signals, and the loop
 *
 *	SIGHUP            read the configuration again; with a controller, dial at once
 *	SIGTERM, SIGINT   stop; forwarding goes on
 *
 * Exit codes: 0 done, 1 failed (the log says why), 2 wrong usage.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <systemd/sd-daemon.h>

#include <agent/agent.h>
#include <agent/state_config.h>
#include <lib/log.h>
#include <lib/privileges.h>
#include <lib/version.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum mode { MODE_RUN, MODE_CHECK, MODE_TEARDOWN };

#define STATE_DIR "/var/lib/mirach"

struct options {
	struct agent_options agent;
	enum log_level level;
	enum mode mode;
};

static const struct option_help {
	struct option option;
	const char *arg, *help;
} options_table[] = {
	{ { "config", required_argument, NULL, 'c' }, "FILE",
	  "the configuration, YAML or JSON; with --controller only agent and limits" },
	{ { "controller", required_argument, NULL, 'C' }, "HOST:PORT,...",
	  "take the configuration from there, any that answers" },
	{ { "name", required_argument, NULL, 'n' }, "NAME", "of this host, as its certificate has it" },
	{ { "ca", required_argument, NULL, 'A' }, "FILE", "who signs controllers' certificates" },
	{ { "cert", required_argument, NULL, 'E' }, "FILE", "this host's certificate" },
	{ { "key", required_argument, NULL, 'K' }, "FILE", "its key" },
	{ { "state", required_argument, NULL, 's' }, "DIR",
	  "keeps what was in force last; default " STATE_DIR },
	{ { "check", no_argument, NULL, 'k' }, NULL, "say whether the configuration is good, and exit" },
	{ { "teardown", no_argument, NULL, 't' }, NULL,
	  "remove everything an agent with this configuration made, and exit" },
	{ { "log-level", required_argument, NULL, 'l' }, "LEVEL", "error, warn, info (default) or debug" },
	{ { "version", no_argument, NULL, 'V' }, NULL, "print the version" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "print this" },
};
#define N_OPTIONS (sizeof(options_table) / sizeof(options_table[0]))

static void print_help(FILE *out)
{
	fputs("Usage: mirachd --config FILE [--check | --teardown] [--log-level LEVEL]\n"
	      "       mirachd --controller HOST:PORT,... --name NAME --ca FILE --cert FILE --key FILE\n"
	      "               [--state DIR] [--config FILE] [--check | --teardown] [--log-level LEVEL]\n\n"
	      "The Mirach agent: a virtual network's end on this host.\n\n", out);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_help *o = &options_table[i];
		char left[40];

		snprintf(left, sizeof(left), "--%s %s", o->option.name, o->arg ?: "");
		fprintf(out, "  %-26s %s\n", left, o->help);
	}
	fputs("\nSIGHUP reloads the configuration. SIGTERM stops the agent; packets of known\n"
	      "flows go on. mirachctl asks a running agent.\n", out);
}

static int usage_error(const char *what)
{
	fprintf(stderr, "mirachd: %s\nTry `mirachd --help`.\n", what);
	return EXIT_USAGE;
}

/* Either a file says all, or a controller and the four things that a session needs. */
static int check_options(const struct agent_options *o)
{
	if (o->controllers)
		return o->name && o->ca && o->cert && o->key ? -1 :
		       usage_error("--controller needs --name, --ca, --cert and --key");
	if (o->name || o->ca || o->cert || o->key)
		return usage_error("--name, --ca, --cert and --key are for --controller");
	return o->config ? -1 : usage_error("--config FILE or --controller HOST:PORT is needed");
}

/* Where the option's text goes; NULL for those that are more than text. */
static const char **text_option(struct agent_options *o, int c)
{
	switch (c) {
	case 'c':
		return &o->config;
	case 'C':
		return &o->controllers;
	case 'n':
		return &o->name;
	case 'A':
		return &o->ca;
	case 'E':
		return &o->cert;
	case 'K':
		return &o->key;
	case 's':
		return &o->state_dir;
	default:
		return NULL;
	}
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	struct option longopts[N_OPTIONS + 1] = {};
	int c;

	for (size_t i = 0; i < N_OPTIONS; i++)
		longopts[i] = options_table[i].option;
	while ((c = getopt_long(argc, argv, "c:l:Vh", longopts, NULL)) != -1) {
		const char **text = text_option(&o->agent, c);

		if (text) {
			*text = optarg;
			continue;
		}
		switch (c) {
		case 'k':
			o->mode = MODE_CHECK;
			break;
		case 't':
			o->mode = MODE_TEARDOWN;
			break;
		case 'l':
			if (log_level_parse(optarg, &o->level))
				return usage_error("--log-level is one of error, warn, info, debug");
			break;
		case 'V':
			puts("mirachd " MIRACH_VERSION);
			return 0;
		case 'h':
			print_help(stdout);
			return 0;
		default:
			return usage_error("see the line above");
		}
	}
	if (optind < argc)
		return usage_error("no arguments besides options");
	return check_options(&o->agent);
}

static int check(const struct agent_options *o)
{
	struct config *config;
	struct doc *bootstrap = NULL;
	struct error e = {};
	int err;

	if (o->controllers)
		err = state_bootstrap(o->config, o->name, &bootstrap, &config, &e);
	else
		err = config_load(o->config, &config, &e);
	if (err) {
		fprintf(stderr, "%s\n", e.text);
		return EXIT_FAILED;
	}
	printf("%s: good: host %s, %u networks, %u vports, %u remotes\n", o->config ?: "no file",
	       config->host_name, config->n_networks, config->n_vports, config->n_remotes);
	config_free(config);
	doc_free(bootstrap);
	return 0;
}

/* A configuration's mistakes come as one line each. */
static int failed(const char *msg, const struct error *e)
{
	const char *line = e->text;

	do {
		int len = strcspn(line, "\n");

		log_error(msg, "error", log_fmt("%.*s", len, line));
		line += len;
	} while (*line++ && *line);
	return EXIT_FAILED;
}

static int teardown(const struct agent_options *o)
{
	struct error e = {};

	if (agent_teardown(o, &e))
		return failed("teardown failed", &e);
	return 0;
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct agent *a = arg;

	(void)what;
	log_info("stopping", "signal", log_fmt("%s", strsignal(sig)));
	event_base_loopexit(a->base, NULL);
}

static void on_reload(evutil_socket_t sig, short what, void *arg)
{
	(void)sig, (void)what;
	agent_reload(arg, NULL);	/* logs what it does and why not */
}

static const struct {
	int number;
	event_callback_fn fn;
} signals[] = {
	{ SIGTERM, on_stop },
	{ SIGINT, on_stop },
	{ SIGHUP, on_reload },
};
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

static void run_loop(struct agent *a)
{
	struct event *events[N_SIGNALS];

	for (size_t i = 0; i < N_SIGNALS; i++) {
		events[i] = evsignal_new(a->base, signals[i].number, signals[i].fn, a);
		if (events[i])
			event_add(events[i], NULL);
	}
	sd_notify(0, "READY=1");
	event_base_dispatch(a->base);
	sd_notify(0, "STOPPING=1");
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (events[i])
			event_free(events[i]);
}

static int run(const struct agent_options *o)
{
	static struct agent agent;	/* large: it keeps samples */
	struct error e = {};

	if (agent_start(&agent, o, &e))
		return failed("cannot start", &e);
	run_loop(&agent);
	agent_stop(&agent);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .agent.state_dir = STATE_DIR, .level = LOG_LEVEL_INFO };
	struct error e = {};
	int rc;

	rc = parse_options(argc, argv, &o);
	if (rc >= 0)
		return rc;
	if (o.mode == MODE_CHECK)
		return check(&o.agent);

	log_init("mirachd");
	log_set_level(o.level);
	signal(SIGPIPE, SIG_IGN);
	if (privileges_check(&e))
		return failed("cannot start", &e);
	return o.mode == MODE_TEARDOWN ? teardown(&o.agent) : run(&o.agent);
}
