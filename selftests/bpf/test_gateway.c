// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_gateway.c - the virtual gateway answers echo requests, and nothing else
 *
 * The request itself becomes the reply, so everything but its ends and its type
 * must still be there, and sum up.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/capture.h>
#include <selftests/bpf/sandbox.h>

static struct packet_spec echo(bool v6, uint16_t payload)
{
	return (struct packet_spec){
		.src = v6 ? "fd00:1::11" : "10.0.0.11",
		.dst = v6 ? "fd00:1::1" : "10.0.0.1",
		.proto = v6 ? PROTO_ICMPV6 : PROTO_ICMP,
		.sport = v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST,
		.payload = payload,
	};
}

/*
 * The reply is the request with its ends swapped and its type changed; all else
 * stays. Zero has two spellings in a checksum, and either is right if it sums up.
 */
static void assert_echo_reply(const struct shot *shot, const struct packet_spec *q)
{
	size_t l3 = 14 + 4 * q->n_tags;
	size_t checksum = l3 + (q->proto == PROTO_ICMP ? 20 + 4 * q->option_words : 40) + 2;
	struct packet_spec a = *q;
	uint8_t want[FRAME_MAX_BYTES];
	size_t len;

	a.src = q->dst;
	a.dst = q->src;
	a.sport = q->proto == PROTO_ICMP ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
	memcpy(a.dmac, q->smac, ETH_ADDR_LEN);
	world_mac(a.smac, 3, RED);
	len = packet_build(&a, want);
	assert_sums(shot->bytes + l3, shot->len - l3);
	memcpy(want + checksum, shot->bytes + checksum, 2);
	assert_replied(shot, want, len);
}

static void test_echo(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned int payload = 0; payload < 1400; payload += payload < 10 ? 1 : 173) {
			struct packet_spec q = echo(v6, payload);

			world_mac(q.smac, 1, WEB_1);
			learn_vport(WEB_1, &q);
			assert_echo_reply(fire_spec(WEB_1, &q), &q);
		}
}

static void test_echo_with_options(void **state)
{
	struct packet_spec q = echo(false, 30);

	(void)state;
	sandbox_need();
	world_mac(q.smac, 1, WEB_1);
	q.option_words = 10;
	learn_vport(WEB_1, &q);
	assert_echo_reply(fire_spec(WEB_1, &q), &q);
}

static void test_echo_tagged(void **state)
{
	struct packet_spec q = echo(false, 30);

	(void)state;
	sandbox_need();
	q.src = "10.0.0.14";
	q.n_tags = 1;
	q.tags[0] = 10;
	world_mac(q.smac, 1, TRUNK);
	learn_vport(TRUNK, &q);
	assert_echo_reply(fire_spec(TRUNK, &q), &q);
}

/* Larger than a buffer: pings with -s 8000 inside a large MTU. */
static void test_echo_of_several_buffers(void **state)
{
	struct packet_spec q = echo(false, 8000);

	(void)state;
	sandbox_need();
	world_mac(q.smac, 1, WEB_1);
	learn_vport(WEB_1, &q);
	assert_echo_reply(fire_spec(WEB_1, &q), &q);
}

/* Extension headers may be long; what looks like an echo inside of them is none. */
static void test_echo_behind_long_extension(void **state)
{
	struct packet_spec q = echo(true, 20);
	uint8_t plain[FRAME_MAX_BYTES], buf[FRAME_MAX_BYTES] = {};
	const size_t ip_end = 14 + 40, extension = 520;
	size_t len = packet_build(&q, plain);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &q);
	memcpy(buf, plain, ip_end);
	memcpy(buf + ip_end + extension, plain + ip_end, len - ip_end);
	((struct ipv6_header *)(buf + 14))->next = PROTO_DSTOPTS;
	((struct ipv6_header *)(buf + 14))->payload_len = wire16(len - ip_end + extension);
	memset(buf + ip_end, ICMPV6_ECHO_REQUEST, extension);
	buf[ip_end] = PROTO_ICMPV6;
	buf[ip_end + 1] = extension / 8 - 1;
	shot = fire_egress(WEB_1, buf, len + extension);
	if (shot->fate == FATE_REPLIED)
		assert_memory_equal(shot->bytes + ip_end, buf + ip_end, extension);
	else
		assert_dropped(shot, REASON_GATEWAY);
}

/* The gateway offers nothing else. */
static void test_gateway_drops_the_rest(void **state)
{
	static const struct packet_spec rest[] = {
		{ .src = "10.0.0.11", .dst = "10.0.0.1", .proto = PROTO_TCP, .dport = 22 },
		{ .src = "10.0.0.11", .dst = "10.0.0.1", .proto = PROTO_UDP, .dport = 53 },
		{ .src = "10.0.0.11", .dst = "10.0.0.1", .proto = PROTO_GRE, .payload = 30 },
		{ .src = "10.0.0.11", .dst = "10.0.0.1", .proto = PROTO_ICMP, .sport = 0 },
		{ .src = "10.0.0.11", .dst = "10.0.0.1", .proto = PROTO_ICMP, .sport = 8, .fragment = IPV4_MF,
		  .payload = 8 },
		{ .src = "10.0.0.11", .dst = "10.0.0.1", .proto = PROTO_ICMP, .fragment = 4, .payload = 8 },
		{ .src = "fd00:1::11", .dst = "fd00:1::1", .proto = PROTO_ICMPV6, .sport = 129 },
		{ .src = "fd00:1::11", .dst = "fd00:1::1", .proto = PROTO_UDP },
		{ .src = "fd00:1::11", .dst = "fd00:1::1", .proto = PROTO_ICMP, .sport = 128 },
	};

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(rest); i++) {
		learn_vport(WEB_1, &rest[i]);
		assert_dropped(fire_spec(WEB_1, &rest[i]), REASON_GATEWAY);
	}
}

static void test_tshark_agrees(void **state)
{
	static const char *const fields[] = { "ip.checksum.status", "icmp.type", "icmp.checksum.status",
					      "icmpv6.type", "icmpv6.checksum.status", NULL };
	static const char *const want[][5] = {
		{ CAPTURE_SUM_GOOD, "0", CAPTURE_SUM_GOOD, "", "" },
		{ "", "", "", "129", CAPTURE_SUM_GOOD },
	};
	const struct capture *c;

	(void)state;
	sandbox_need();
	capture_need();
	capture_begin();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec q = echo(v6, 56);
		const struct shot *shot;

		learn_vport(WEB_1, &q);
		shot = fire_spec(WEB_1, &q);
		capture_add(shot->bytes, shot->len);
	}
	c = capture_decode(fields);
	assert_int_equal(c->n_frames, COUNT(want));
	for (unsigned int i = 0; i < COUNT(want); i++)
		for (unsigned int k = 0; k < COUNT(want[0]); k++)
			assert_string_equal(c->text[i][k], want[i][k]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_echo),
		TEST(test_echo_with_options),
		TEST(test_echo_tagged),
		TEST(test_echo_of_several_buffers),
		TEST(test_echo_behind_long_extension),
		TEST(test_gateway_drops_the_rest),
		TEST(test_tshark_agrees),
	};

	return cmocka_run_group_tests_name("gateway", tests, fixture_load, fixture_unload);
}
