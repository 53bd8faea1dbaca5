/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_file.h - a good configuration, put together from sections a test may replace
 *
 * The sections stand in one order, so lines are known:
 *
 *	host 1-4, networks 5-9, vports 10-16, remotes 17-18, the rest from 19
 *
 * A replaced section moves those behind it, unless it has as many lines. The
 * file's name is "t" in reports.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include <agent/config.h>
#include <selftests/unit/expect.h>

struct file {
	const char *host, *networks, *vports, *remotes, *rest;
};

static const struct file good = {
	.host =
	"host:\n"
	"  name: host-a\n"
	"  underlay: [192.0.2.1, \"2001:db8::1\"]\n"
	"  uplinks: [{device: up0}]\n",
	.networks =
	"networks:\n"
	"  - name: red\n"
	"    vni: 100\n"
	"    subnets: [{prefix: 10.0.0.0/24, gateway: 10.0.0.1},\n"
	"              {prefix: \"fd00:1::/64\", gateway: \"fd00:1::1\"}]\n",
	.vports =
	"vports:\n"
	"  - name: web-1\n"
	"    network: red\n"
	"    device: veth-web1\n"
	"    mac: \"02:00:00:00:01:01\"\n"
	"    addresses: [10.0.0.11, \"fd00:1::11\"]\n"
	"    vlan: 0\n",
	.remotes =
	"remotes:\n"
	"  - {network: red, prefix: 10.0.0.12/32, mac: \"02:00:00:00:01:02\", host: 192.0.2.2}\n",
	.rest = "",
};

static inline const char *or(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* The good file with some sections replaced; to be freed. */
static inline char *assemble(const struct file *f)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s%s", or(f->host, good.host), or(f->networks, good.networks),
		     or(f->vports, good.vports), or(f->remotes, good.remotes),
		     or(f->rest, good.rest)) < 0)
		fail_msg("no memory");
	return text;
}

/* Parses; NULL and the report in @e if it is refused. */
static inline struct config *parse(const struct file *f, struct error *e)
{
	struct config *untouched = (struct config *)0x1, *c = untouched;
	char *text = assemble(f);
	int err = config_parse("t", text, strlen(text), &c, e);

	free(text);
	if (!err)
		return c;
	expect_int("error", e->err, err);
	assert_ptr_equal(c, untouched);
	return NULL;
}

static inline struct config *parse_good(const struct file *f)
{
	struct error e = {};
	struct config *c = parse(f, &e);

	if (!c)
		fail_msg("refused:\n%s", e.text);
	return c;
}

static inline void expect_report(const struct file *f, const char *expected)
{
	struct error e = {};
	struct config *c = parse(f, &e);

	if (c) {
		config_free(c);
		fail_msg("taken, expected \"%s\"", expected);
	}
	expect_text("report", e.text, expected);
}

/* One entry of a list of vports. */
#define VPORT(name, network, device, mac, addresses)                                      \
	"- {name: " name ", network: " network ", device: " device ", mac: " mac              \
	", addresses: " addresses "}\n"

struct refused {
	struct file file;
	const char *report;
};

static inline void expect_reports(const struct refused *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect_report(&cases[i].file, cases[i].report);
}
