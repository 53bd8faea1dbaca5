// SPDX-License-Identifier: BSD-2-Clause
/*
 * config.c - the standalone configuration: one YAML or JSON file, read whole
 *
 *	doc_load() ─► read_config() ─► config_check() ─► mistakes_report()
 *	  tree          tables           relations          all or nothing
 *
 * Reading goes on after a mistake, and the checks run on whatever was read, so
 * that one run names all that is wrong. Nothing is returned unless nothing is.
 */
#include <agent/config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/config_reader.h>
#include <mirach/wire.h>

static struct config *config_new(const char *path)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->path = strdup(path);
	c->tunnel = TUNNEL_VXLAN;
	c->max_flows = 65536;
	c->max_endpoints = 65536;
	c->miss_rate = 20000;
	c->miss_burst = 1000;
	c->fabric_miss_rate = 50000;
	c->fabric_miss_burst = 5000;
	c->flow_idle_ms = 60000;
	if (!c->path) {
		config_free(c);
		return NULL;
	}
	return c;
}

static void network_done(struct config_network *network)
{
	free(network->name);
	free(network->subnets);
	free(network->hoverboards);
}

static void vport_done(struct config_vport *vport)
{
	free(vport->name);
	free(vport->device);
	free(vport->netns);
	free(vport->guest_device);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (unsigned int i = 0; i < config->n_uplinks; i++)
		free(config->uplinks[i].device);
	for (unsigned int i = 0; i < config->n_networks; i++)
		network_done(&config->networks[i]);
	for (unsigned int i = 0; i < config->n_vports; i++)
		vport_done(&config->vports[i]);
	free(config->networks);
	free(config->vports);
	for (unsigned int i = 0; i < config->n_remotes; i++)
		free(config->remotes[i].gateways);
	free(config->remotes);
	free(config->routes);
	free(config->endpoints);
	free(config->samples);
	free(config->path);
	free(config->host_name);
	free(config->bpffs);
	free(config->socket);
	free(config->socket_group);
	free(config);
}

static int default_text(char **text, const char *value)
{
	if (!*text)
		*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static uint16_t default_port(enum tunnel_kind tunnel)
{
	switch (tunnel) {
	case TUNNEL_VXLAN:
		return VXLAN_PORT;
	case TUNNEL_GENEVE:
		return GENEVE_PORT;
	case TUNNEL_GRE:
		break;
	}
	return 0;
}

/* What depends on other fields, once all of them are known to be right. */
static int fill_defaults(struct config *c)
{
	if (!c->tunnel_port)
		c->tunnel_port = default_port(c->tunnel);
	for (unsigned int i = 0; i < c->n_vports; i++) {
		struct config_vport *v = &c->vports[i];

		v->miss_rate = v->miss_rate ? v->miss_rate : c->miss_rate;
		v->miss_burst = v->miss_burst ? v->miss_burst : c->miss_burst;
	}
	if (default_text(&c->bpffs, "/sys/fs/bpf/mirach"))
		return -ENOMEM;
	return default_text(&c->socket, "/run/mirach/mirachd.sock");
}

/* Everything after the tree is there. */
static int fill(struct config *c, const struct doc *doc, struct mistakes *m, struct error *e)
{
	struct reader r = {.config = c, .mistakes = m, .lenient = m->origin};
	int err;

	read_config(&r, doc);
	err = r.err ? r.err : config_check(c, m);
	if (err)
		return error_set(e, err, "%s: no memory", c->path);
	err = mistakes_report(m, e);
	if (err)
		return err;
	err = fill_defaults(c);
	return err ? error_set(e, err, "%s: no memory", c->path) : 0;
}

int config_build(const char *path, const struct doc *doc, const struct config_origin *origin,
		 struct config **ret, struct error *e)
{
	struct config *c = config_new(path);
	struct mistakes m;
	int err;

	if (!c)
		return error_set(e, -ENOMEM, "%s: no memory", path);
	mistakes_init(&m, path);
	m.origin = origin;
	err = fill(c, doc, &m, e);
	mistakes_done(&m);
	if (err)
		config_free(c);
	else
		*ret = c;
	return err;
}

int config_load(const char *path, struct config **ret, struct error *e)
{
	struct doc *doc;
	int err = doc_load(path, &doc, e);

	if (err)
		return err;
	err = config_build(path, doc, NULL, ret, e);
	doc_free(doc);
	return err;
}

int config_parse(const char *name, const char *text, size_t len, struct config **ret,
		 struct error *e)
{
	struct doc *doc;
	int err = doc_parse(name, text, len, &doc, e);

	if (err)
		return err;
	err = config_build(name, doc, NULL, ret, e);
	doc_free(doc);
	return err;
}
