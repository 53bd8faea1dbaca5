/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.c - doctor: the command; doctor_host.c and doctor_device.c look
 *
 * Exit code 1 if anything would be refused.
 */
#include <ctl/cli/doctor.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <agent/config.h>
#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>

static const char *const level_names[DOCTOR_N_LEVELS] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_SLOW] = "slow",
	[DOCTOR_REFUSED] = "refused",
	[DOCTOR_UNKNOWN] = "unknown",
};

void doctor_add(struct doctor *d, enum doctor_level level, const char *subject, const char *remedy,
		const char *fmt, ...)
{
	cJSON *o = cJSON_CreateObject();
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	cJSON_AddStringToObject(o, "subject", subject);
	cJSON_AddStringToObject(o, "level", level_names[level]);
	cJSON_AddStringToObject(o, "what", what);
	if (remedy)
		cJSON_AddStringToObject(o, "remedy", remedy);
	cJSON_AddItemToArray(d->findings, o);
	d->n[level]++;
}

static const struct opt opts[] = {
	{ "device", OPT_TEXT, "NAME[,NAME]", "these devices besides the host, as uplinks", true },
	{ "config", OPT_TEXT, "FILE", "the devices of this agent's configuration", true },
	{},
};

static void check_names(struct doctor *d, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ",");
		struct doctor_device device = {};

		device.name = view_fmt("%.*s", (int)len, list);
		doctor_device(d, &device);
		list += len;
		list += *list == ',';
	}
}

static void check_config(struct doctor *d, const struct config *c)
{
	for (unsigned int i = 0; i < c->n_uplinks; i++)
		doctor_device(d, &(struct doctor_device){
					 .name = c->uplinks[i].device,
					 .tags = c->uplinks[i].vlan,
					 .generic = c->uplinks[i].xdp_mode == XDP_MODE_GENERIC,
					 .hook = c->uplinks[i].hook,
				 });
	for (unsigned int i = 0; i < c->n_vports; i++)
		doctor_device(d, &(struct doctor_device){
					 .name = c->vports[i].device,
					 .vport = true,
					 .tags = c->vports[i].vlan[0],
					 .generic = c->vports[i].xdp_mode == XDP_MODE_GENERIC,
					 .hook = c->vports[i].hook,
					 .guest_reached = c->vports[i].netns,
				 });
}

static void print_findings(const cJSON *o)
{
	const cJSON *f;

	cJSON_ArrayForEach(f, view_item(o, "findings")) {
		printf("%-8s %-12s %s\n", view_text(f, "level"), view_text(f, "subject"),
		       view_text(f, "what"));
		if (*view_text(f, "remedy"))
			printf("%22s> %s\n", "", view_text(f, "remedy"));
	}
	printf("\n%.0f ok, %.0f slow, %.0f refused, %.0f unknown\n", view_number(o, "ok"),
	       view_number(o, "slow"), view_number(o, "refused"), view_number(o, "unknown"));
}

static int report(struct cli *cli, struct doctor *d)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToObject(o, "findings", d->findings);
	for (int i = 0; i < DOCTOR_N_LEVELS; i++)
		cJSON_AddNumberToObject(o, level_names[i], d->n[i]);
	cli_show(cli, o, print_findings);
	return d->n[DOCTOR_REFUSED] ? CLI_FAILED : CLI_OK;
}

static int cmd_doctor(struct cli *cli)
{
	const char *path = opts_text(cli->opts, "config");
	const char *names = opts_text(cli->opts, "device");
	struct config *config = NULL;
	struct error e = {};
	struct doctor d = {};

	if (path && config_load(path, &config, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return CLI_FAILED;
	}
	d.findings = cJSON_CreateArray();
	doctor_host(&d);
	if (names)
		check_names(&d, names);
	if (config)
		check_config(&d, config);
	config_free(config);
	return report(cli, &d);
}

const struct command doctor_commands[] = {
	{ .name = "doctor", .opts = opts, .run = cmd_doctor,
	  .help = "what will be slow or refused on this host, with the remedy",
	  .example = "mirachctl doctor --config /etc/mirach/mirachd.yaml" },
	{},
};
