// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_admin_args.c - requests of the admin protocol: what is taken, what is refused
 */
#include <agent/admin_ops.h>

#include <errno.h>
#include <stdlib.h>

#include <selftests/unit/expect.h>

struct request {
	const char *json;
	int err;
	const char *words;		/* part of the refusal, or the operation's name */
};

static const struct request requests[] = {
	{ "{\"op\":\"status\"}", 0, "status" },
	{ "{\"op\":\"status\",\"args\":{}}", 0, "status" },
	{ "{\"args\":{},\"op\":\"vport.show\"}", -EINVAL, "name: is needed" },
	{ "{\"op\":\"vport.show\",\"args\":{\"name\":\"web-1\"}}", 0, "vport.show" },
	{ "{\"op\":\"vport.show\",\"args\":{\"name\":\"\"}}", -EINVAL, "name: must be a short string" },
	{ "{\"op\":\"vport.show\",\"args\":{\"name\":7}}", -EINVAL, "name: must be a short string" },
	{ "{\"op\":\"vport.show\",\"args\":{\"name\":null}}", -EINVAL, "name: must" },
	{ "{\"op\":\"vport.show\",\"args\":{\"name\":\"a\",\"name\":\"b\"}}", -EINVAL, "given twice" },
	{ "{\"op\":\"vport.show\",\"args\":[\"web-1\"]}", -EINVAL, "args: must be an object" },
	{ "{\"op\":\"vport.list\",\"args\":{\"x\":1}}", -EINVAL, "x: there is no such argument" },

	{ "[]", -EINVAL, "a request is an object" },
	{ "{}", -EINVAL, "op: must be the name" },
	{ "{\"op\":1}", -EINVAL, "op: must be the name" },
	{ "{\"op\":\"flow.sing\"}", -EOPNOTSUPP, "no operation flow.sing" },
	{ "{\"op\":\"status\",\"id\":1}", -EINVAL, "id: a request has op and args" },

	{ "{\"op\":\"flow.list\",\"args\":{\"limit\":1}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"limit\":0}}", -EINVAL, "limit: must be a number from 1 to 10000" },
	{ "{\"op\":\"flow.list\",\"args\":{\"limit\":10001}}", -EINVAL, "limit:" },
	{ "{\"op\":\"flow.list\",\"args\":{\"limit\":1.5}}", -EINVAL, "limit:" },
	{ "{\"op\":\"flow.list\",\"args\":{\"limit\":\"1\"}}", -EINVAL, "limit:" },
	{ "{\"op\":\"flow.list\",\"args\":{\"offset\":4294967295}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"offset\":4294967296}}", -EINVAL, "offset:" },
	{ "{\"op\":\"flow.list\",\"args\":{\"offset\":-1}}", -EINVAL, "offset:" },
	{ "{\"op\":\"flow.list\",\"args\":{\"rates\":true}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"rates\":1}}", -EINVAL, "rates: must be true or false" },
	{ "{\"op\":\"flow.list\",\"args\":{\"src\":\"10.0.0.0/24\"}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"src\":\"10.0.0.1/24\"}}", -EINVAL, "host bits" },
	{ "{\"op\":\"flow.list\",\"args\":{\"src\":\"fd00:1::/64\"}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"proto\":\"tcp\"}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"proto\":47}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"proto\":\"47\"}}", 0, "flow.list" },
	{ "{\"op\":\"flow.list\",\"args\":{\"proto\":256}}", -EINVAL, "proto:" },
	{ "{\"op\":\"flow.list\",\"args\":{\"proto\":\"tcpp\"}}", -EINVAL, "proto:" },
	{ "{\"op\":\"flow.show\",\"args\":{\"index\":0}}", -EINVAL, "index:" },

	{ "{\"op\":\"trace\",\"args\":{\"hex\":\"00 11:22\"}}", 0, "trace" },
	{ "{\"op\":\"trace\",\"args\":{\"hex\":\"0\"}}", -EINVAL, "hex: must be the hex digits" },
	{ "{\"op\":\"trace\",\"args\":{\"hex\":\"  \"}}", -EINVAL, "hex:" },
	{ "{\"op\":\"trace\",\"args\":{\"hex\":\"xy\"}}", -EINVAL, "hex:" },
	{ "{\"op\":\"trace\",\"args\":{\"vlan\":[]}}", 0, "trace" },
	{ "{\"op\":\"trace\",\"args\":{\"vlan\":[10,20]}}", 0, "trace" },
	{ "{\"op\":\"trace\",\"args\":{\"vlan\":[1,2,3]}}", -EINVAL, "vlan: must be an array" },
	{ "{\"op\":\"trace\",\"args\":{\"vlan\":[4095]}}", -EINVAL, "vlan:" },
	{ "{\"op\":\"trace\",\"args\":{\"vlan\":10}}", -EINVAL, "vlan:" },
	{ "{\"op\":\"trace\",\"args\":{\"src\":\"10.0.0.0/24\"}}", -EINVAL, "src: must be an IPv4" },
	{ "{\"op\":\"trace\",\"args\":{\"vni\":16777216}}", -EINVAL, "vni:" },
};

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		const struct request *r = &requests[i];
		cJSON *json = cJSON_Parse(r->json);
		const struct admin_op *op = NULL;
		const cJSON *args = NULL;
		struct error e = {};

		assert_non_null(json);
		expect_int(r->json, admin_find(json, &op, &args, &e), r->err);
		expect_part(r->json, r->err ? e.text : op->name, r->words);
		cJSON_Delete(json);
	}
}

static void test_getters(void **state)
{
	cJSON *args = cJSON_Parse("{\"limit\":7,\"rates\":true,\"src\":\"10.1.0.0/16\",\"proto\":6,"
				  "\"vlan\":[10,20],\"name\":\"x\"}");
	struct ip_prefix prefix;
	uint16_t vlan[2] = {};
	uint8_t proto;

	(void)state;
	expect_int("limit", admin_arg_number(args, "limit", 1), 7);
	expect_int("fallback", admin_arg_number(args, "offset", 3), 3);
	expect_int("no args", admin_arg_number(NULL, "offset", 3), 3);
	assert_true(admin_arg_bool(args, "rates"));
	assert_false(admin_arg_bool(args, "all"));
	assert_true(admin_arg_prefix(args, "src", &prefix));
	expect_int("prefix", prefix.len, 96 + 16);
	assert_false(admin_arg_prefix(args, "dst", &prefix));
	assert_true(admin_arg_proto(args, "proto", &proto));
	expect_int("proto", proto, 6);
	expect_int("vlans", admin_arg_vlans(args, "vlan", vlan), 2);
	expect_int("inner", vlan[1], 20);
	expect_text("name", admin_arg_text(args, "name"), "x");
	assert_null(admin_arg_text(NULL, "name"));
	cJSON_Delete(args);
}

static void test_replies(void **state)
{
	cJSON *reply = admin_reply_ok(cJSON_CreateObject());
	char *text = cJSON_PrintUnformatted(reply);
	struct error e;

	(void)state;
	expect_text("ok", text, "{\"ok\":true,\"result\":{}}");
	free(text);
	cJSON_Delete(reply);

	error_set(&e, -ENOENT, "no vport is named x");
	reply = admin_reply_error(&e);
	text = cJSON_PrintUnformatted(reply);
	expect_text("error", text, "{\"ok\":false,\"error\":\"no vport is named x\",\"errno\":2}");
	free(text);
	cJSON_Delete(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_getters),
		cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests_name("admin_args", tests, NULL, NULL);
}
