/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c - trace: what would happen to this packet, and why
 */
#include <stdio.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>

static const struct opt opts[] = {
	{ "from", OPT_TEXT, "VPORT", "the packet comes from this vport", false },
	{ "from-host", OPT_TEXT, "ADDR", "or from the fabric, with this outer source", false },
	{ "vni", OPT_NUMBER, "N", "and this VNI", false },
	{ "src", OPT_TEXT, "ADDR", "inner source", false },
	{ "dst", OPT_TEXT, "ADDR", "inner destination", false },
	{ "proto", OPT_TEXT, "PROTO", "tcp, udp, icmp, icmpv6, sctp or a number; default an echo request", false },
	{ "sport", OPT_NUMBER, "N", "source port, or ICMP type", false },
	{ "dport", OPT_NUMBER, "N", "destination port, or ICMP code", false },
	{ "vlan", OPT_VLANS, "VID[,VID]", "VLAN tags; default those of the vport", false },
	{ "hex", OPT_TEXT, "BYTES", "the frame itself, instead of fields; with no --from, with its outer headers", false },
	{},
};

static void print_trace(const cJSON *o)
{
	const cJSON *s;
	int n = 0;

	printf("from %s\n", view_text(o, "input"));
	cJSON_ArrayForEach(s, view_item(o, "steps"))
		printf("%3d. %-18s %s\n", ++n, view_text(s, "what"), view_text(s, "found"));
	if (*view_text(o, "rule"))
		printf("rule: %s\n", view_text(o, "rule"));
	printf("=> %s\n", view_text(o, "outcome"));
	if (*view_text(o, "reason_text"))
		printf("   %s\n", view_text(o, "reason_text"));
}

static int cmd_trace(struct cli *cli)
{
	return cli_ask_and_show(cli, "trace", print_trace);
}

const struct command trace_commands[] = {
	{ .name = "trace", .opts = opts, .run = cmd_trace,
	  .help = "what would happen to a packet: every step, the rule, the verdict",
	  .example = "mirachctl trace --from web-1 --src 10.0.0.11 --dst 10.0.0.12 --proto tcp --dport 80" },
	{},
};
