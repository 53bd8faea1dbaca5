// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_responder.c - ARP and Neighbour Discovery
 *
 * Who is in the network is known, so the host answers in everybody's name. The
 * answers are compared byte by byte with what the RFCs ask for, and tshark checks
 * the checksums of all of them.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <selftests/bpf/capture.h>
#include <selftests/bpf/sandbox.h>

static const uint8_t broadcast[ETH_ADDR_LEN] = { 255, 255, 255, 255, 255, 255 };

/* ---------------------------------------------------------------------------- ARP */

struct arp_frame {
	struct eth_header eth;
	struct arp_header arp;
};

static struct arp_frame arp_request(int vport, const char *sender, const char *target)
{
	struct ip_addr from = packet_addr(sender), to = packet_addr(target);
	struct arp_frame f = {
		.eth.type = wire16(ETHERTYPE_ARP),
		.arp = { .hardware = wire16(1), .protocol = wire16(ETHERTYPE_IPV4),
			 .hardware_len = ETH_ADDR_LEN, .protocol_len = 4,
			 .operation = wire16(ARP_REQUEST) },
	};

	memcpy(f.eth.dmac, broadcast, ETH_ADDR_LEN);
	world_mac(f.eth.smac, 1, vport);
	world_mac(f.arp.sender_mac, 1, vport);
	memcpy(f.arp.sender_ip, &from.w[3], 4);
	memcpy(f.arp.target_ip, &to.w[3], 4);
	return f;
}

/* The answer to @q in the name of @mac. */
static struct arp_frame arp_reply(const struct arp_frame *q, const uint8_t *mac)
{
	struct arp_frame a = *q;

	memcpy(a.eth.dmac, q->eth.smac, ETH_ADDR_LEN);
	memcpy(a.eth.smac, mac, ETH_ADDR_LEN);
	a.arp.operation = wire16(ARP_REPLY);
	memcpy(a.arp.sender_mac, mac, ETH_ADDR_LEN);
	memcpy(a.arp.sender_ip, q->arp.target_ip, 4);
	memcpy(a.arp.target_mac, q->arp.sender_mac, ETH_ADDR_LEN);
	memcpy(a.arp.target_ip, q->arp.sender_ip, 4);
	return a;
}

static void test_arp_answers(void **state)
{
	static const struct {
		const char *target;
		uint8_t kind, i;
	} known[] = {
		{ "10.0.0.1", 3, RED },		/* gateway */
		{ "10.0.1.1", 3, RED },		/* of another subnet */
		{ "10.0.0.13", 1, WEB_2 },	/* same host */
		{ "10.0.0.12", 2, RED_12 },	/* other host */
	};

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(known); i++) {
		struct arp_frame q = arp_request(WEB_1, "10.0.0.11", known[i].target), a;
		uint8_t mac[ETH_ADDR_LEN];

		world_mac(mac, known[i].kind, known[i].i);
		a = arp_reply(&q, mac);
		assert_replied(fire_egress(WEB_1, &q, sizeof(q)), &a, sizeof(a));
	}
}

/* RFC 5227: a probe asks with sender 0.0.0.0. */
static void test_arp_probe(void **state)
{
	struct arp_frame q = arp_request(WEB_1, "0.0.0.0", "10.0.0.13"), a;
	uint8_t mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 1, WEB_2);
	a = arp_reply(&q, mac);
	assert_replied(fire_egress(WEB_1, &q, sizeof(q)), &a, sizeof(a));
	q = arp_request(WEB_1, "0.0.0.0", "10.0.0.11");		/* is my own address free? */
	assert_dropped(fire_egress(WEB_1, &q, sizeof(q)), REASON_ARP_UNKNOWN);
}

static void test_arp_of_each_tenant(void **state)
{
	struct arp_frame q = arp_request(SHOP_1, "10.0.0.11", "10.0.0.12"), a;
	uint8_t mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 2, BLUE_12);
	a = arp_reply(&q, mac);
	assert_replied(fire_egress(SHOP_1, &q, sizeof(q)), &a, sizeof(a));
	q = arp_request(SHOP_1, "10.0.0.11", "10.0.0.13");	/* only red has it */
	assert_dropped(fire_egress(SHOP_1, &q, sizeof(q)), REASON_ARP_UNKNOWN);
}

/* Ethernet pads short frames; the answer may carry the padding back. */
static void test_arp_padded(void **state)
{
	struct arp_frame q = arp_request(WEB_1, "10.0.0.11", "10.0.0.12"), a;
	uint8_t buf[60] = {}, mac[ETH_ADDR_LEN];
	const struct shot *shot;

	(void)state;
	sandbox_need();
	world_mac(mac, 2, RED_12);
	a = arp_reply(&q, mac);
	memcpy(buf, &q, sizeof(q));
	shot = fire_egress(WEB_1, buf, sizeof(buf));
	assert_fate(shot, FATE_REPLIED);
	assert_memory_equal(shot->bytes, &a, sizeof(a));
}

static void test_arp_tagged(void **state)
{
	struct arp_frame q = arp_request(TRUNK, "10.0.0.14", "10.0.0.12"), a;
	const struct vlan_header tag = { wire16(10), wire16(ETHERTYPE_ARP) };
	uint8_t buf[sizeof(q) + 4], want[sizeof(q) + 4], mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 2, RED_12);
	q.eth.type = wire16(ETHERTYPE_VLAN);
	a = arp_reply(&q, mac);
	memcpy(buf, &q.eth, 14);
	memcpy(buf + 14, &tag, 4);
	memcpy(buf + 18, &q.arp, sizeof(q.arp));
	memcpy(want, &a.eth, 14);
	memcpy(want + 14, &tag, 4);
	memcpy(want + 18, &a.arp, sizeof(a.arp));
	assert_replied(fire_egress(TRUNK, buf, sizeof(buf)), want, sizeof(want));
}

static void test_arp_refused(void **state)
{
	const struct arp_frame good = arp_request(WEB_1, "10.0.0.11", "10.0.0.12");
	static const struct {
		size_t at;
		uint8_t value;
	} spoil[] = {
		{ offsetof(struct arp_frame, arp.hardware) + 1, 6 },
		{ offsetof(struct arp_frame, arp.protocol) + 1, 1 },
		{ offsetof(struct arp_frame, arp.hardware_len), 8 },
		{ offsetof(struct arp_frame, arp.protocol_len), 16 },
		{ offsetof(struct arp_frame, arp.operation) + 1, ARP_REPLY },
		{ offsetof(struct arp_frame, arp.operation) + 1, 0 },
		{ offsetof(struct arp_frame, arp.sender_ip) + 3, 13 },	/* web-2's */
		{ offsetof(struct arp_frame, arp.sender_ip) + 3, 12 },	/* a remote's */
		{ offsetof(struct arp_frame, arp.sender_ip) + 3, 1 },	/* the gateway's */
		{ offsetof(struct arp_frame, arp.sender_ip) + 3, 77 },	/* nobody's */
	};

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(spoil); i++) {
		struct arp_frame q = good;

		((uint8_t *)&q)[spoil[i].at] = spoil[i].value;
		assert_dropped(fire_egress(WEB_1, &q, sizeof(q)), REASON_ARP);
	}
	for (size_t n = 14; n < sizeof(good); n++)
		assert_dropped(fire_egress(WEB_1, &good, n), REASON_ARP);
}

static void test_arp_unknown(void **state)
{
	static const char *const targets[] = { "10.0.0.77", "10.0.0.11", "10.9.5.1", "0.0.0.0" };

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(targets); i++) {
		struct arp_frame q = arp_request(WEB_1, "10.0.0.11", targets[i]);

		assert_dropped(fire_egress(WEB_1, &q, sizeof(q)), REASON_ARP_UNKNOWN);
	}
}

/* ----------------------------------------------------------- Neighbour Discovery */

/* A solicitation or advertisement with one option. */
struct nd_frame {
	struct eth_header eth;
	struct ipv6_header ip;
	struct nd_header nd;
	struct nd_option_mac option;
} MIRACH_PACKED;

static void nd_sum(struct nd_frame *f, size_t len)
{
	struct ip_addr src = f->ip.src, dst = f->ip.dst;
	uint32_t sum = packet_pseudo_sum(&src, &dst, PROTO_ICMPV6, len);

	f->nd.icmp.checksum = 0;
	f->nd.icmp.checksum = wire16(~packet_sum(&f->nd, len, sum));
}

static struct nd_frame solicitation(int vport, const char *from, const char *target)
{
	struct nd_frame f = {
		.eth.type = wire16(ETHERTYPE_IPV6),
		.ip = { .version_class_label = wire32(6u << 28), .next = PROTO_ICMPV6, .hop_limit = 255,
			.payload_len = wire16(sizeof(f.nd) + sizeof(f.option)),
			.src = packet_addr(from), .dst = packet_addr("ff02::1:ff00:0") },
		.nd = { .icmp.type = ICMPV6_NEIGHBOUR_SOLICITATION, .target = packet_addr(target) },
		.option = { .type = 1, .len8 = 1 },
	};

	memcpy((uint8_t *)&f.ip.dst + 13, (uint8_t *)&f.nd.target + 13, 3);	/* solicited-node */
	world_mac(f.eth.smac, 1, vport);
	world_mac(f.option.mac, 1, vport);
	memcpy(f.eth.dmac, (uint8_t[]){ 0x33, 0x33, 0xff }, 3);
	memcpy(f.eth.dmac + 3, (uint8_t *)&f.nd.target + 13, 3);
	nd_sum(&f, sizeof(f.nd) + sizeof(f.option));
	return f;
}

/* RFC 4861 section 7.2.4: the advertisement that answers @q in the name of @mac. */
static struct nd_frame advertisement(const struct nd_frame *q, const uint8_t *mac, bool router)
{
	struct ip_addr solicitor = q->ip.src;
	bool probe = ip_addr_is_unspecified(&solicitor);
	uint32_t flags = ND_FLAG_OVERRIDE | (router ? ND_FLAG_ROUTER : 0) |
			 (probe ? 0 : ND_FLAG_SOLICITED);
	struct nd_frame a = *q;

	memcpy(a.eth.dmac, q->eth.smac, ETH_ADDR_LEN);
	memcpy(a.eth.smac, mac, ETH_ADDR_LEN);
	a.ip.src = q->nd.target;
	a.ip.dst = probe ? packet_addr("ff02::1") : q->ip.src;
	a.ip.payload_len = wire16(sizeof(a.nd) + sizeof(a.option));
	a.nd.icmp = (struct icmp_header){ .type = ICMPV6_NEIGHBOUR_ADVERTISEMENT, .rest = wire32(flags) };
	a.option = (struct nd_option_mac){ .type = 2, .len8 = 1 };
	memcpy(a.option.mac, mac, ETH_ADDR_LEN);
	nd_sum(&a, sizeof(a.nd) + sizeof(a.option));
	return a;
}

static void give_web_2_ipv6(void)
{
	fixture_neighbour(100, packet_addr("fd00:1::13"), fixture.world.vports[WEB_2].mac, false,
			  WORLD_SLOT(WEB_2));
}

static void test_nd_answers(void **state)
{
	static const struct {
		const char *target;
		uint8_t kind, i;
		bool router;
	} known[] = {
		{ "fd00:1::1", 3, RED, true },
		{ "fd00:1::13", 1, WEB_2, false },
		{ "fd00:1::12", 2, RED_12_V6, false },
	};

	(void)state;
	sandbox_need();
	give_web_2_ipv6();
	for (unsigned int i = 0; i < COUNT(known); i++) {
		struct nd_frame q = solicitation(WEB_1, "fd00:1::11", known[i].target), a;
		const struct shot *shot;
		uint8_t mac[ETH_ADDR_LEN];

		world_mac(mac, known[i].kind, known[i].i);
		a = advertisement(&q, mac, known[i].router);
		shot = fire_egress(WEB_1, &q, sizeof(q));
		assert_replied(shot, &a, sizeof(a));
		assert_sums(shot->bytes + 14, shot->len - 14);
	}
}

/* Without its option, and with many more, a solicitation gets the same answer. */
static void test_nd_lengths(void **state)
{
	struct nd_frame q = solicitation(WEB_1, "fd00:1::11", "fd00:1::12"), a;
	struct {
		struct nd_frame f;
		struct nd_option_mac nonces[12];	/* RFC 3971 section 5.3.2 */
	} MIRACH_PACKED many = { .f = q };
	uint8_t mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 2, RED_12_V6);
	a = advertisement(&q, mac, false);
	q.ip.payload_len = wire16(sizeof(q.nd));
	nd_sum(&q, sizeof(q.nd));
	assert_replied(fire_egress(WEB_1, &q, sizeof(q) - sizeof(q.option)), &a, sizeof(a));
	for (unsigned int i = 0; i < COUNT(many.nonces); i++)
		many.nonces[i] = (struct nd_option_mac){ .type = 14, .len8 = 1 };
	many.f.ip.payload_len = wire16(sizeof(many) - 54);
	nd_sum(&many.f, sizeof(many) - 54);
	assert_replied(fire_egress(WEB_1, &many, sizeof(many)), &a, sizeof(a));
}

/* RFC 4862 section 5.4: duplicate address detection. */
static void test_nd_probe(void **state)
{
	struct nd_frame q = solicitation(WEB_1, "::", "fd00:1::12"), a;
	uint8_t mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 2, RED_12_V6);
	a = advertisement(&q, mac, false);
	assert_replied(fire_egress(WEB_1, &q, sizeof(q)), &a, sizeof(a));
	q = solicitation(WEB_1, "::", "fd00:1::11");
	assert_dropped(fire_egress(WEB_1, &q, sizeof(q)), REASON_ND_UNKNOWN);
}

/* Guests probe a stale neighbour from their link-local address (RFC 4861 section 7.3.3). */
static void test_nd_from_link_local(void **state)
{
	struct nd_frame q = solicitation(WEB_1, "fe80::11", "fd00:1::1"), a;
	uint8_t mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 3, RED);
	a = advertisement(&q, mac, true);
	assert_replied(fire_egress(WEB_1, &q, sizeof(q)), &a, sizeof(a));
}

static void test_nd_tagged(void **state)
{
	struct nd_frame q = solicitation(TRUNK, "::", "fd00:1::12"), a;
	const struct vlan_header tag = { wire16(10), wire16(ETHERTYPE_IPV6) };
	uint8_t buf[sizeof(q) + 4], want[sizeof(q) + 4], mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	world_mac(mac, 2, RED_12_V6);
	q.eth.type = wire16(ETHERTYPE_VLAN);
	a = advertisement(&q, mac, false);
	memcpy(buf, &q.eth, 14);
	memcpy(buf + 14, &tag, 4);
	memcpy(buf + 18, &q.ip, sizeof(q) - 14);
	memcpy(want, &a.eth, 14);
	memcpy(want + 14, &tag, 4);
	memcpy(want + 18, &a.ip, sizeof(a) - 14);
	assert_replied(fire_egress(TRUNK, buf, sizeof(buf)), want, sizeof(want));
}

static void test_nd_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} spoil[] = {
		{ offsetof(struct nd_frame, ip.hop_limit), 254 },	/* came through a router */
		{ offsetof(struct nd_frame, nd.icmp.code), 1 },
		{ offsetof(struct nd_frame, nd.target), 0xff },		/* multicast target */
		{ offsetof(struct nd_frame, ip.payload_len) + 1, sizeof(struct nd_header) - 1 },
		{ offsetof(struct nd_frame, ip.src) + 15, 0x12 },	/* a remote's source */
		{ offsetof(struct nd_frame, ip.src) + 15, 0x01 },	/* the gateway's */
		{ offsetof(struct nd_frame, ip.src) + 15, 0x77 },	/* nobody's */
	};
	const struct nd_frame good = solicitation(WEB_1, "fd00:1::11", "fd00:1::12");

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(spoil); i++) {
		struct nd_frame q = good;

		((uint8_t *)&q)[spoil[i].at] = spoil[i].value;
		if (spoil[i].at != offsetof(struct nd_frame, ip.payload_len) + 1)
			nd_sum(&q, sizeof(q.nd) + sizeof(q.option));
		assert_dropped(fire_egress(WEB_1, &q, sizeof(q)), REASON_ND);
	}
}

static void test_nd_unknown(void **state)
{
	static const char *const targets[] = { "fd00:1::77", "fd00:1::11", "2001:db8::1", "fe80::1" };

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(targets); i++) {
		struct nd_frame q = solicitation(WEB_1, "fd00:1::11", targets[i]);

		assert_dropped(fire_egress(WEB_1, &q, sizeof(q)), REASON_ND_UNKNOWN);
	}
}

/* ------------------------------------------------------------------------- tshark */

static void capture_replies(void)
{
	struct arp_frame arp = arp_request(WEB_1, "10.0.0.11", "10.0.0.1");
	struct nd_frame nd = solicitation(WEB_1, "fd00:1::11", "fd00:1::1");
	const struct shot *shot;

	capture_begin();
	shot = fire_egress(WEB_1, &arp, sizeof(arp));
	capture_add(shot->bytes, shot->len);
	shot = fire_egress(WEB_1, &nd, sizeof(nd));
	capture_add(shot->bytes, shot->len);
}

static void test_tshark_agrees(void **state)
{
	static const char *const fields[] = { "arp.opcode", "arp.src.hw_mac", "icmpv6.type",
					      "icmpv6.checksum.status", "icmpv6.nd.na.flag.s",
					      "icmpv6.nd.na.flag.r", "icmpv6.opt.linkaddr", NULL };
	static const char *const want[][7] = {
		{ "2", "02:00:00:00:03:00", "", "", "", "", "" },
		{ "", "", "136", CAPTURE_SUM_GOOD, "1", "1", "02:00:00:00:03:00" },
	};
	const struct capture *c;

	(void)state;
	sandbox_need();
	capture_need();
	capture_replies();
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
		TEST(test_arp_answers),
		TEST(test_arp_probe),
		TEST(test_arp_of_each_tenant),
		TEST(test_arp_padded),
		TEST(test_arp_tagged),
		TEST(test_arp_refused),
		TEST(test_arp_unknown),
		TEST(test_nd_answers),
		TEST(test_nd_lengths),
		TEST(test_nd_probe),
		TEST(test_nd_from_link_local),
		TEST(test_nd_tagged),
		TEST(test_nd_refused),
		TEST(test_nd_unknown),
		TEST(test_tshark_agrees),
	};

	return cmocka_run_group_tests_name("responder", tests, fixture_load, fixture_unload);
}
