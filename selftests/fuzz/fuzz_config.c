// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_config.c - the configuration parser on any text
 *
 * A refusal must be a report: file and line in front of every mistake, nothing a
 * terminal would act on, the output untouched. What is taken must keep what the
 * rest of the agent relies on without looking again: names there, indices in
 * range, values within their limits, nothing taken twice.
 *
 * See also: selftests/unit/test_config_checks.c, which breaks every relation once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <agent/config.h>
#include <selftests/fuzz/fuzz.h>

#define MANY 300		/* lists longer than this are not compared all with all */

/* "t:12: ..." on every line, or "and 3 more" on the last. */
static void check_report_line(const char *line, size_t len)
{
	size_t digits = len > 2 ? strspn(line + 2, "0123456789") : 0;

	if (len > 4 && !strncmp(line, "and ", 4))
		return;
	FUZZ_CHECK(len > 4 && line[0] == 't' && line[1] == ':' && digits);
	FUZZ_CHECK(line[2] != '0');
	FUZZ_CHECK(line[2 + digits] == ':' && line[3 + digits] == ' ');
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
}

static void check_report(const struct error *e, int err)
{
	const char *line = e->text;

	FUZZ_CHECK(err < 0 && e->err == err);
	FUZZ_CHECK(*line && strlen(line) < sizeof(e->text));
	while (*line) {
		size_t len = strcspn(line, "\n");

		check_report_line(line, len);
		line += len + (line[len] == '\n');
	}
}

static void check_host(const struct config *c)
{
	FUZZ_CHECK(c->host_name && c->bpffs && c->socket && !strcmp(c->path, "t"));
	FUZZ_CHECK(c->bpffs[0] == '/' && c->socket[0] == '/' && strlen(c->socket) <= 107);
	FUZZ_CHECK(c->n_uplinks <= CONFIG_UPLINKS_MAX);
	for (unsigned int i = 0; i < c->n_uplinks; i++)
		FUZZ_CHECK(c->uplinks[i].device && c->uplinks[i].vlan < 4095);
	FUZZ_CHECK(ip_addr_is_zero(&c->underlay[0]) || ip_addr_is_v4(&c->underlay[0]));
	FUZZ_CHECK(!ip_addr_is_v4(&c->underlay[1]));
	FUZZ_CHECK(c->tunnel >= TUNNEL_VXLAN && c->tunnel <= TUNNEL_GRE);
	FUZZ_CHECK(!c->tunnel_port == (c->tunnel == TUNNEL_GRE));
	FUZZ_CHECK(!(c->tos & 3) && (!c->tos || c->dscp == DSCP_PIPE));
	FUZZ_CHECK(c->max_flows && c->miss_rate && c->miss_burst && c->flow_idle_ms >= 100);
	FUZZ_CHECK(c->fabric_miss_rate && c->fabric_miss_burst);
}

static void check_subnet(const struct config_network *net, unsigned int i)
{
	const struct config_subnet *s = &net->subnets[i];

	FUZZ_CHECK(s->prefix.len <= 128);
	FUZZ_CHECK(ip_addr_is_zero(&s->gateway) || ip_prefix_covers(&s->prefix, &s->gateway));
	for (unsigned int j = 0; j < i && j < MANY; j++)
		FUZZ_CHECK(!ip_prefix_covers(&s->prefix, &net->subnets[j].prefix.addr) &&
			   !ip_prefix_covers(&net->subnets[j].prefix, &s->prefix.addr));
}

static void check_networks(const struct config *c)
{
	for (unsigned int i = 0; i < c->n_networks; i++) {
		const struct config_network *net = &c->networks[i];

		FUZZ_CHECK(net->name && *net->name && strlen(net->name) <= CONFIG_NAME_MAX);
		FUZZ_CHECK(net->vni > 0 && net->vni < 1u << 24);
		FUZZ_CHECK(!(net->gateway_mac[0] & 1) && !mac_is_zero(net->gateway_mac));
		for (unsigned int j = 0; j < net->n_subnets; j++)
			check_subnet(net, j);
		for (unsigned int j = 0; j < i && j < MANY; j++)
			FUZZ_CHECK(net->vni != c->networks[j].vni &&
				   strcmp(net->name, c->networks[j].name));
	}
}

static bool in_a_subnet(const struct config_network *net, const struct ip_addr *a)
{
	for (unsigned int i = 0; i < net->n_subnets; i++) {
		if (ip_prefix_covers(&net->subnets[i].prefix, a))
			return true;
	}
	return false;
}

static bool owns(const struct config_vport *v, const struct ip_addr *a)
{
	for (unsigned int i = 0; i < v->n_addrs; i++) {
		if (ip_addr_equal(&v->addrs[i], a))
			return true;
	}
	return false;
}

static void check_vport(const struct config *c, unsigned int i)
{
	const struct config_vport *v = &c->vports[i];

	FUZZ_CHECK(v->name && v->device && v->network < c->n_networks);
	FUZZ_CHECK(v->n_addrs > 0 && v->n_addrs <= CONFIG_VPORT_ADDRS_MAX);
	FUZZ_CHECK(!(v->mac[0] & 1) && !mac_is_zero(v->mac));
	FUZZ_CHECK(v->vlan[0] < 4095 && v->vlan[1] < 4095 && (v->vlan[0] || !v->vlan[1]));
	FUZZ_CHECK(v->miss_rate && v->miss_burst);
	for (unsigned int j = 0; j < v->n_addrs; j++)
		FUZZ_CHECK(in_a_subnet(&c->networks[v->network], &v->addrs[j]));
	for (unsigned int j = 0; j < i && j < MANY; j++) {
		const struct config_vport *other = &c->vports[j];

		FUZZ_CHECK(strcmp(v->name, other->name) && strcmp(v->device, other->device));
		for (unsigned int k = 0; k < v->n_addrs; k++)
			FUZZ_CHECK(v->network != other->network || !owns(other, &v->addrs[k]));
	}
}

static void check_remote(const struct config *c, unsigned int i)
{
	const struct config_remote *remote = &c->remotes[i];
	const struct ip_addr *local = &c->underlay[ip_addr_is_v4(&remote->host) ? 0 : 1];

	FUZZ_CHECK(remote->network < c->n_networks && remote->prefix.len <= 128);
	FUZZ_CHECK(!ip_addr_is_zero(&remote->host) && !ip_addr_is_zero(local));
	FUZZ_CHECK(!ip_addr_equal(&remote->host, local));
	FUZZ_CHECK(!(remote->mac[0] & 1) && c->n_uplinks);
	for (unsigned int j = 0; j < c->n_vports && j < MANY; j++)
		FUZZ_CHECK(remote->prefix.len != 128 || c->vports[j].network != remote->network ||
			   !owns(&c->vports[j], &remote->prefix.addr));
}

static void check_config(const struct config *c)
{
	check_host(c);
	check_networks(c);
	for (unsigned int i = 0; i < c->n_vports; i++)
		check_vport(c, i);
	for (unsigned int i = 0; i < c->n_remotes; i++)
		check_remote(c, i);
	for (unsigned int i = 0; i < c->n_samples; i++)
		FUZZ_CHECK(c->samples[i].network < c->n_networks && c->samples[i].rate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *untouched = (struct config *)0x1, *c = untouched;
	char *text = exact_copy(data, size);
	struct error e = {};
	int err = config_parse("t", text, size, &c, &e);

	free(text);
	if (err) {
		FUZZ_CHECK(c == untouched);
		check_report(&e, err);
		return 0;
	}
	check_config(c);
	config_free(c);
	return 0;
}
