/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encode.c - encode flow|nexthop|port|neighbour: a calculator for bpftool
 *
 * The fast path can be loaded and fed by hand, without an agent. What goes into
 * its maps is printed here as `MAP key hex ... value hex ...`, ready for
 * `bpftool map update pinned DIR/MAP`; with --pins DIR as whole commands, ready
 * for a shell. Lines that begin with # explain.
 *
 * See also: docs/by-hand.md, include/mirach (the structures).
 */
#include <ctl/cli/encode.h>

#include <stdio.h>
#include <stdlib.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/names.h>

struct output {
	cJSON *o, *entries;
	const char *pins;
};

static struct output output_new(const struct cli *cli)
{
	cJSON *o = cJSON_CreateObject();

	return (struct output){ o, cJSON_AddArrayToObject(o, "entries"),
				opts_text(cli->opts, "pins") };
}

static void add_entry(struct output *out, const char *map, const void *key, size_t key_len,
		      const void *value, size_t value_len)
{
	cJSON *entry = cJSON_CreateObject();
	char hex[3 * sizeof(struct nexthop) + 8];

	cJSON_AddStringToObject(entry, "map", map);
	cJSON_AddStringToObject(entry, "key", hex_format(key, key_len, ' ', hex, sizeof(hex)));
	cJSON_AddStringToObject(entry, "value", hex_format(value, value_len, ' ', hex, sizeof(hex)));
	cJSON_AddItemToArray(out->entries, entry);
}

static void add_u32(struct output *out, const char *map, uint32_t key, const void *value,
		    size_t value_len)
{
	add_entry(out, map, &key, sizeof(key), value, value_len);
}

static void print_notes(const cJSON *o)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, o)
		if (cJSON_IsNumber(v))
			printf("# %s %.0f\n", v->string, v->valuedouble);
		else if (cJSON_IsString(v) && v->string[0] != '-')
			printf("# %s %s\n", v->string, v->valuestring);
}

/* Prints and deletes. */
static int output_print(struct cli *cli, struct output *out)
{
	const cJSON *entry;

	if (cli->json) {
		cli_print_json(out->o);
		cJSON_Delete(out->o);
		return CLI_OK;
	}
	print_notes(out->o);
	cJSON_ArrayForEach(entry, out->entries) {
		if (out->pins)
			printf("bpftool map update pinned %s/", out->pins);
		printf("%s key hex %s value hex %s\n", view_text(entry, "map"),
		       view_text(entry, "key"), view_text(entry, "value"));
	}
	cJSON_Delete(out->o);
	return CLI_OK;
}

/* flow: the flow first, then the slot that publishes it. */
static int cmd_flow(struct cli *cli)
{
	struct flow_bucket bucket = {};
	struct error e = {};
	struct encode_flow f;
	struct output out;
	uint64_t digest;
	uint32_t first, mask;

	if (encode_flow_read(cli->opts, &f, &e))
		return cli_usage("encode flow: %s", e.text);
	mask = f.table.n_buckets - 1;
	digest = flow_digest(&f.flow.key, f.table.secret);
	first = flow_bucket_of(digest, 0, mask);
	bucket.slot[f.slot] = FLOW_SLOT(flow_tag(digest), f.index);

	out = output_new(cli);
	cJSON_AddNumberToObject(out.o, "bucket", first);
	cJSON_AddNumberToObject(out.o, "second_bucket", flow_bucket_of(digest, 1, mask));
	cJSON_AddNumberToObject(out.o, "slot", f.slot);
	cJSON_AddStringToObject(out.o, "slot_value",
				view_fmt("0x%016llx", (unsigned long long)bucket.slot[f.slot]));
	add_u32(&out, "flows", f.index, &f.flow, sizeof(f.flow));
	add_u32(&out, "flow_index", first, &bucket, sizeof(bucket));
	return output_print(cli, &out);
}

static int cmd_nexthop(struct cli *cli)
{
	struct encode_nexthop n;
	struct error e = {};
	struct output out;

	if (encode_nexthop_read(cli->opts, &n, &e))
		return cli_usage("encode nexthop: %s", e.text);
	out = output_new(cli);
	cJSON_AddNumberToObject(out.o, "header_len", n.nexthop.body[0].header_len);
	cJSON_AddNumberToObject(out.o, "mtu", n.nexthop.body[0].mtu);
	add_u32(&out, "nexthops", n.id, &n.nexthop, sizeof(n.nexthop));
	return output_print(cli, &out);
}

/* port: what it is, where it leaves, and last how it is recognised. */
static int cmd_port(struct cli *cli)
{
	struct port_bucket bucket = {};
	struct encode_port p;
	struct error e = {};
	struct output out;
	uint32_t place;

	if (encode_port_read(cli->opts, &p, &e))
		return cli_usage("encode port: %s", e.text);
	place = p.port.ifindex & (PORT_INDEX_BUCKETS - 1);
	bucket.slot[0] = PORT_INDEX_SLOT(p.port.ifindex, p.slot);
	out = output_new(cli);
	cJSON_AddNumberToObject(out.o, "bucket", place);
	add_u32(&out, "ports", p.slot, &p.port, sizeof(p.port));
	add_u32(&out, "port_devs", p.slot, &p.port.ifindex, sizeof(p.port.ifindex));
	add_u32(&out, "port_index", place, &bucket, sizeof(bucket));
	return output_print(cli, &out);
}

static int cmd_neighbour(struct cli *cli)
{
	struct encode_neighbour n;
	struct error e = {};
	struct output out;

	if (encode_neighbour_read(cli->opts, &n, &e))
		return cli_usage("encode neighbour: %s", e.text);
	out = output_new(cli);
	add_entry(&out, "neighbours", &n.key, sizeof(n.key), &n.neighbour, sizeof(n.neighbour));
	return output_print(cli, &out);
}

const struct command encode_commands[] = {
	{ .name = "encode flow", .opts = encode_flow_opts, .run = cmd_flow,
	  .help = "by hand: a flow as entries of flows and flow_index",
	  .example = "mirachctl encode flow --index 1 --port 2 --src 10.0.0.11 --dst 10.0.0.12 "
		     "--proto icmp --nexthop 1 --vni 100 --dmac 02:00:00:00:01:02 "
		     "--smac 02:00:00:00:01:01 --pins /sys/fs/bpf/hand | sh" },
	{ .name = "encode nexthop", .opts = encode_nexthop_opts, .run = cmd_nexthop,
	  .help = "by hand: a next hop as entry of nexthops" },
	{ .name = "encode port", .opts = encode_port_opts, .run = cmd_port,
	  .help = "by hand: a port as entries of ports, port_devs and port_index" },
	{ .name = "encode neighbour", .opts = encode_neighbour_opts, .run = cmd_neighbour,
	  .help = "by hand: an answer to ARP and Neighbour Discovery" },
	{},
};
