// SPDX-License-Identifier: BSD-2-Clause
/*
 * api_status.c - how the controller is: hosts, sessions, latency, direct routes
 *
 * For operators; `mirachctl controller status` and `mirachctl hoverboard show` print it.
 */
#include <ctl/controller/api_parts.h>

#include <stdio.h>

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long total, resident = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * 4096.0;
}

static void add(cJSON *o, const char *name, double n)
{
	cJSON_AddNumberToObject(o, name, n);
}

static cJSON *sessions(const struct ofe *ofe)
{
	cJSON *o = cJSON_CreateObject();
	struct ofe_stats s;

	ofe_stats(ofe, &s);
	add(o, "up", s.sessions);
	add(o, "attached", s.attached);
	add(o, "handshakes", s.handshakes);
	add(o, "accepted", s.accepted);
	add(o, "resumed", s.resumed);
	add(o, "refused", s.refused);
	add(o, "throttled", s.throttled);
	add(o, "dropped", s.dropped);
	add(o, "inBytes", s.in_bytes);
	add(o, "inMessages", s.in_messages);
	add(o, "outBytes", s.out_bytes);
	add(o, "outMessages", s.out_messages);
	return o;
}

void api_status(struct api *a, struct http_request *r)
{
	cJSON *o = cJSON_CreateObject();

	add(o, "residentBytes", resident_bytes());
	if (a->vmc)
		cJSON_AddItemToObject(o, "hosts", vmc_status(a->vmc));
	if (a->ofe)
		cJSON_AddItemToObject(o, "sessions", sessions(a->ofe));
	http_reply_json(r, 200, o);
}

void api_offloads(struct api *a, struct http_request *r)
{
	if (a->vmc)
		http_reply_json(r, 200, vmc_hoverboards(a->vmc));
	else
		http_problem(r, 501, "Not here", "this controller does not program hosts", NULL);
}
