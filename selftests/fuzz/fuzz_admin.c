// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_admin.c - any JSON as a request to the agent
 *
 * The input is the text of one message. Whatever it says, it is either refused
 * with a sentence, or the operation's arguments obey its table: the getters that
 * operations rely on are called for every row. The bytes of a trace go on into
 * the code that takes frames apart. No operation is run: there is no agent.
 */
#include <agent/admin_ops.h>
#include <agent/trace_packet.h>
#include <lib/names.h>
#include <mirach/nexthop.h>
#include <mirach/wire.h>
#include <selftests/fuzz/fuzz.h>

static void check_number(const struct admin_arg *a, const cJSON *args)
{
	uint32_t n = admin_arg_number(args, a->name, 0);

	FUZZ_CHECK(n >= a->min && n <= a->max);
}

static void check_vlans(const struct admin_arg *a, const cJSON *args)
{
	uint16_t vlan[2] = {};
	unsigned int n = admin_arg_vlans(args, a->name, vlan);

	FUZZ_CHECK(n <= 2);
	for (unsigned int i = 0; i < n; i++)
		FUZZ_CHECK(vlan[i] >= 1 && vlan[i] <= 4094);
}

static void check_decap(const uint8_t *frame, size_t len)
{
	static const enum tunnel_kind kinds[] = { TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GRE };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct port uplink = { .kind = PORT_UPLINK, .tunnel = kinds[i],
				       .tunnel_port = wire16(4789) };
		struct trace_outer outer;
		enum trace_decap_result result;

		ip_addr_set_v4(&uplink.underlay[0], wire32(0xc0000201));
		uplink.underlay[1].w[0] = wire32(0x20010db8);
		result = trace_decap(&uplink, frame, len, &outer);
		FUZZ_CHECK(*outer.what);
		FUZZ_CHECK(result != TRACE_INNER || outer.offset <= len);
		FUZZ_CHECK(result != TRACE_INNER || outer.vni <= 0xffffff);
		FUZZ_CHECK((result == TRACE_DROPPED) == (outer.reason != REASON_NONE));
	}
}

static void check_hex(const struct admin_arg *a, const cJSON *args)
{
	static uint8_t bytes[ADMIN_HEX_MAX];
	int n = hex_parse(admin_arg_text(args, a->name), bytes, sizeof(bytes));
	uint8_t *frame;

	FUZZ_CHECK(n > 0);
	frame = exact_copy(bytes, n);
	check_decap(frame, n);
	free(frame);
}

static void check_arg(const struct admin_arg *a, const cJSON *args)
{
	struct ip_prefix prefix;
	struct ip_addr addr;
	uint8_t proto;

	FUZZ_CHECK(!a->needed || admin_arg_given(args, a->name));
	if (!admin_arg_given(args, a->name))
		return;
	switch (a->kind) {
	case ARG_TEXT:
		FUZZ_CHECK(*admin_arg_text(args, a->name));
		FUZZ_CHECK(strlen(admin_arg_text(args, a->name)) <= ADMIN_TEXT_MAX);
		return;
	case ARG_HEX:
		check_hex(a, args);
		return;
	case ARG_BOOL:
		admin_arg_bool(args, a->name);
		return;
	case ARG_NUMBER:
		check_number(a, args);
		return;
	case ARG_ADDR:
		FUZZ_CHECK(admin_arg_addr(args, a->name, &addr));
		return;
	case ARG_PREFIX:
		FUZZ_CHECK(admin_arg_prefix(args, a->name, &prefix));
		return;
	case ARG_PROTO:
		FUZZ_CHECK(admin_arg_proto(args, a->name, &proto));
		return;
	case ARG_VLANS:
		check_vlans(a, args);
		return;
	}
}

static void check_refusal(const struct error *e, int err)
{
	cJSON *reply = admin_reply_error(e);

	FUZZ_CHECK(err < 0 && e->err == err && *e->text);
	cJSON_Delete(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *request = cJSON_ParseWithLength((const char *)data, size);
	const struct admin_op *op = NULL;
	const cJSON *args = NULL;
	struct error e = {};
	int err;

	if (!request)
		return 0;
	err = admin_find(request, &op, &args, &e);
	if (err)
		check_refusal(&e, err);
	else
		for (const struct admin_arg *a = op->args; a->name; a++)
			check_arg(a, args);
	cJSON_Delete(request);
	return 0;
}
