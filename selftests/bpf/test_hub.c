// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_hub.c - a miss goes to the coprocessor and comes back
 *
 *	egress or ingress ──punt──► | hub header | frame | ──resume──► as if it had hit
 */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <selftests/bpf/fixture_internal.h>
#include <selftests/bpf/sandbox.h>

static const struct packet_spec local = {
	.src = "10.0.0.11", .dst = "10.0.0.13", .proto = PROTO_UDP, .sport = 1000, .dport = 53,
	.payload = 30,
};
static const struct packet_spec inbound = {
	.src = "10.0.0.12", .dst = "10.0.0.11", .proto = PROTO_TCP, .sport = 443, .dport = 1000,
	.payload = 30,
};

static struct hub_header header_of(const struct shot *shot)
{
	struct hub_header h;

	assert_true(shot->len > sizeof(h));
	memcpy(&h, shot->bytes, sizeof(h));
	return h;
}

static uint32_t gen_of(uint32_t flow)
{
	return fixture.memory.flows[flow].action.gen;
}

/*
 * The header is an IPv4/UDP encapsulation of a frame of @frame_len bytes, with true
 * lengths, and without a gap: the kernel looks for IP directly behind Ethernet.
 */
static void assert_header(const struct hub_header *h, size_t frame_len, uint32_t port, uint32_t scope)
{
	size_t udp_len = sizeof(*h) - sizeof(h->eth) - sizeof(h->ip) + frame_len;

	assert_int_equal(offsetof(struct hub_header, ip), sizeof(struct eth_header));
	assert_int_equal(h->eth.dmac[0] & 1, 1);
	assert_int_equal(h->eth.type, wire16(ETHERTYPE_IPV4));
	assert_int_equal(h->ip.version_ihl, 0x45);
	assert_int_equal(h->ip.proto, PROTO_UDP);
	assert_int_equal(host16(h->ip.total_len), sizeof(h->ip) + udp_len);
	assert_int_equal(host16(h->udp.len), udp_len);
	assert_int_equal(h->udp.dport, wire16(HUB_UDP_PORT));
	assert_int_equal(h->version, HUB_VERSION);
	assert_int_equal(h->why, HUB_MISS);
	assert_int_equal(h->verdict, HUB_PENDING);
	assert_int_equal(h->port, port);
	assert_int_equal(h->scope, scope);
	assert_int_equal(h->reason | h->flow | h->gen, 0);
	for (unsigned int i = 0; i < COUNT(h->pad); i++)
		assert_int_equal(h->pad[i], 0);
}

/* The frame behind the header is the frame that came in. */
static void test_punt_from_vport(void **state)
{
	uint8_t frame[FRAME_MAX_BYTES];
	size_t len = packet_build(&local, frame);
	struct ip_addr none = {};
	const struct shot *shot;
	struct hub_header h;

	(void)state;
	sandbox_need();
	shot = fire_egress(WEB_1, frame, len);
	assert_fate(shot, FATE_PUNTED);
	assert_int_equal(shot->delivered, SLOT_HUB);
	h = header_of(shot);
	assert_header(&h, len, WORLD_SLOT(WEB_1), SCOPE_VPORT | WORLD_SLOT(WEB_1));
	assert_memory_equal(&h.outer, &none, sizeof(none));
	assert_int_equal(shot->len, sizeof(h) + len);
	assert_memory_equal(shot->bytes + sizeof(h), frame, len);
}

/* From the fabric the outer headers are gone; source and TOS of them are in the header. */
static void test_punt_from_fabric(void **state)
{
	uint8_t frame[FRAME_MAX_BYTES], inner[FRAME_MAX_BYTES];
	size_t inner_len = packet_build(&inbound, inner);
	struct packet_outer outer;
	struct ip_addr host;
	const struct shot *shot;
	struct hub_header h;

	(void)state;
	sandbox_need();
	outer = outer_from(2, 100);
	outer.tos = 0xb8;
	host = packet_addr(outer.src);
	shot = fire_ingress(frame, packet_encapsulate(&outer, inner, inner_len, frame));
	assert_fate(shot, FATE_PUNTED);
	h = header_of(shot);
	assert_header(&h, inner_len, SLOT_UPLINK, SCOPE_FABRIC | 100);
	assert_memory_equal(&h.outer, &host, sizeof(host));
	assert_int_equal(h.outer_tos, 0xb8);
	assert_int_equal(shot->len, sizeof(h) + inner_len);
	assert_memory_equal(shot->bytes + sizeof(h), inner, inner_len);
}

static void assert_same_frame(const struct shot *a, const struct shot *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->bytes, b->bytes, a->len);
}

/* The first packet and the second leave alike: same bytes, same outer source port. */
static void resumes_like_a_hit(int vport, const struct packet_spec *spec, uint32_t to)
{
	const struct shot *punted, *resumed, *hit;
	uint32_t flow;

	punted = fire_spec(vport, spec);
	assert_fate(punted, FATE_PUNTED);
	flow = learn_vport(vport, spec);
	resumed = fire_resume(punted, HUB_RESUME, flow, gen_of(flow), 0);
	hit = fire_spec(vport, spec);
	assert_out(resumed, to);
	assert_out(hit, to);
	assert_int_equal(resumed->slot, WORLD_SLOT(vport));
	assert_same_frame(resumed, hit);
	assert_int_equal(flow_stats_of(flow).packets, 2);
	assert_int_equal(flow_stats_of(flow).bytes, 2 * (punted->len - sizeof(struct hub_header)));
}

static void test_resume_local(void **state)
{
	(void)state;
	sandbox_need();
	resumes_like_a_hit(WEB_1, &local, WORLD_SLOT(WEB_2));
}

static void test_resume_tunnel(void **state)
{
	struct packet_spec s = local;

	(void)state;
	sandbox_need();
	s.dst = "10.0.0.12";
	resumes_like_a_hit(WEB_1, &s, SLOT_UPLINK);
	s.dst = "10.9.5.1";
	resumes_like_a_hit(WEB_1, &s, SLOT_UPLINK);
	s.src = "fd00:1::11";
	s.dst = "fd00:1::12";
	resumes_like_a_hit(WEB_1, &s, SLOT_UPLINK);
}

static void test_resume_tagged(void **state)
{
	struct packet_spec s = local;

	(void)state;
	sandbox_need();
	s.src = "10.0.0.14";
	s.n_tags = 1;
	s.tags[0] = 10;
	resumes_like_a_hit(TRUNK, &s, WORLD_SLOT(WEB_2));
}

static void test_resume_from_fabric(void **state)
{
	uint8_t frame[FRAME_MAX_BYTES];
	const struct shot *punted, *resumed, *hit;
	struct packet_outer outer;
	uint32_t flow;
	size_t len;

	(void)state;
	sandbox_need();
	outer = outer_from(2, 100);
	len = build_fabric(&outer, &inbound, frame);
	punted = fire_ingress(frame, len);
	flow = learn_fabric(100, outer.src, &inbound);
	resumed = fire_resume(punted, HUB_RESUME, flow, gen_of(flow), 0);
	hit = fire_ingress(frame, len);
	assert_out(resumed, WORLD_SLOT(WEB_1));
	assert_int_equal(resumed->slot, SLOT_UPLINK);
	assert_same_frame(resumed, hit);
}

/* Congestion marked on the underlay before the miss reaches the guest after it. */
static void test_resume_keeps_congestion(void **state)
{
	struct packet_spec s = inbound;
	uint8_t frame[FRAME_MAX_BYTES];
	const struct shot *punted, *resumed;
	struct packet_outer outer;
	uint32_t flow;

	(void)state;
	sandbox_need();
	s.tos = 2;
	outer = outer_from(2, 100);
	outer.tos = 3;
	punted = fire_ingress(frame, build_fabric(&outer, &s, frame));
	flow = learn_fabric(100, outer.src, &s);
	resumed = fire_resume(punted, HUB_RESUME, flow, gen_of(flow), 0);
	assert_out(resumed, WORLD_SLOT(WEB_1));
	assert_int_equal(resumed->bytes[15], 3);
	assert_sums(resumed->bytes + 14, resumed->len - 14);
}

static void test_resume_to_a_drop(void **state)
{
	struct packet_spec s = local;
	const struct shot *punted, *resumed;
	uint32_t flow;

	(void)state;
	sandbox_need();
	s.dst = "10.0.0.77";
	punted = fire_spec(WEB_1, &s);
	flow = learn_vport(WEB_1, &s);
	resumed = fire_resume(punted, HUB_RESUME, flow, gen_of(flow), 0);
	assert_dropped(resumed, REASON_NO_ROUTE);
	assert_int_equal(resumed->slot, WORLD_SLOT(WEB_1));
}

static void test_coprocessor_drops(void **state)
{
	const struct shot *punted, *resumed;
	uint32_t flow;

	(void)state;
	sandbox_need();
	punted = fire_spec(WEB_1, &local);
	flow = learn_vport(WEB_1, &local);
	resumed = fire_resume(punted, HUB_DROP, 0, 0, REASON_TABLE_FULL);
	assert_dropped(resumed, REASON_TABLE_FULL);
	assert_int_equal(resumed->slot, WORLD_SLOT(WEB_1));
	/* A drop without a reason, or with one that does not exist, is a drop all the same. */
	assert_dropped(fire_resume(punted, HUB_DROP, flow, gen_of(flow), REASON_NONE), REASON_HUB_HEADER);
	assert_fate(fire_resume(punted, HUB_DROP, flow, gen_of(flow), REASON_MAX), FATE_DROPPED);
}

/* The flow died or changed on the way: the packet is looked up, and asked about, again. */
static void test_stale(void **state)
{
	const struct shot *punted, *again;
	uint32_t flow;

	(void)state;
	sandbox_need();
	punted = fire_spec(WEB_1, &local);
	flow = learn_vport(WEB_1, &local);
	assert_out(fire_resume(punted, HUB_RESUME, flow, gen_of(flow) + 1, 0), WORLD_SLOT(WEB_2));
	assert_out(fire_resume(punted, HUB_RESUME, 1u << 30, 0, 0), WORLD_SLOT(WEB_2));
	flow_table_del(fixture.table, flow);
	flow_table_grace_begin(fixture.table);
	again = fire_resume(punted, HUB_RESUME, flow, gen_of(flow) - 1, 0);
	assert_fate(again, FATE_PUNTED);
	assert_header((const struct hub_header *)again->bytes, again->len - sizeof(struct hub_header),
		      WORLD_SLOT(WEB_1), SCOPE_VPORT | WORLD_SLOT(WEB_1));
}

static void test_bad_headers(void **state)
{
	const struct shot *punted;
	uint8_t buf[FRAME_MAX_BYTES];
	struct hub_header *h = (struct hub_header *)buf;
	uint32_t flow;

	(void)state;
	sandbox_need();
	punted = fire_spec(WEB_1, &local);
	flow = learn_vport(WEB_1, &local);
	assert_dropped(fire_resume(punted, HUB_PENDING, flow, gen_of(flow), 0), REASON_HUB_HEADER);
	memcpy(buf, punted->bytes, punted->len);
	h->verdict = HUB_RESUME;
	h->flow = flow;
	h->gen = gen_of(flow);
	assert_fate(fire(ENTRY_RESUME, SLOT_HUB, buf, punted->len), FATE_OUT);
	h->version++;
	assert_dropped(fire(ENTRY_RESUME, SLOT_HUB, buf, punted->len), REASON_HUB_HEADER);
	h->version--;
	h->udp.dport = wire16(53);
	assert_dropped(fire(ENTRY_RESUME, SLOT_HUB, buf, punted->len), REASON_HUB_HEADER);
	h->udp.dport = wire16(HUB_UDP_PORT);
	for (size_t n = 14; n < sizeof(*h); n++)
		assert_dropped(fire(ENTRY_RESUME, SLOT_HUB, buf, n), REASON_HUB_HEADER);
	for (size_t n = sizeof(*h); n < punted->len; n++)
		assert_fate(fire(ENTRY_RESUME, SLOT_HUB, buf, n), FATE_DROPPED);
}

/* Whatever a coprocessor writes into the header, the frame meets one named fate. */
static void test_damaged_headers(void **state)
{
	const struct shot *punted;
	uint8_t buf[FRAME_MAX_BYTES];
	uint32_t flow;

	(void)state;
	sandbox_need();
	punted = fire_spec(WEB_1, &local);
	flow = learn_vport(WEB_1, &local);
	for (size_t at = 0; at < sizeof(struct hub_header); at++) {
		if (at >= offsetof(struct hub_header, port) && at < offsetof(struct hub_header, scope))
			continue;	/* another port's books: right, but not looked at here */
		for (int bit = 0; bit < 8; bit++) {
			struct hub_header *h = (struct hub_header *)buf;

			memcpy(buf, punted->bytes, punted->len);
			h->verdict = HUB_RESUME;
			h->flow = flow;
			h->gen = gen_of(flow);
			buf[at] ^= 1 << bit;
			fire(ENTRY_RESUME, SLOT_HUB, buf, punted->len);
		}
	}
}

/* ------------------------------------------------------------------------- limits */

static void set_rate(uint32_t slot, uint32_t rate, uint32_t burst)
{
	fixture.ports[slot].miss_rate = rate;
	fixture.ports[slot].miss_burst = burst;
}

static unsigned int punts_of(int n, int vport)
{
	unsigned int punted = 0;

	for (int i = 0; i < n; i++) {
		const struct shot *shot = fire_spec(vport, &local);

		punted += shot->fate == FATE_PUNTED;
		if (shot->fate != FATE_PUNTED)
			assert_dropped(shot, REASON_MISS_LIMIT);
	}
	return punted;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A port that was quiet for a second has its burst; then the rate holds, on a slow machine too. */
static void test_miss_limit(void **state)
{
	double start, most;
	unsigned int n;

	(void)state;
	sandbox_need();
	set_rate(WORLD_SLOT(WEB_1), 10, 10);
	start = seconds();
	n = punts_of(40, WEB_1);
	usleep(300000);
	n += punts_of(20, WEB_1);
	most = 10 + 1 + 10 * (seconds() - start);
	assert_in_range(n, 9 + 2, (unsigned int)most);
	set_rate(WORLD_SLOT(WEB_1), 0, 0);
	assert_int_equal(punts_of(5, WEB_1), 0);
}

static void test_one_port_cannot_starve_another(void **state)
{
	(void)state;
	sandbox_need();
	set_rate(WORLD_SLOT(WEB_1), 10, 10);
	set_rate(WORLD_SLOT(WEB_2), 10, 10);
	punts_of(40, WEB_1);
	assert_int_equal(punts_of(8, WEB_2), 8);
}

/* Hits never ask the limit. */
static void test_limit_is_for_misses(void **state)
{
	(void)state;
	sandbox_need();
	set_rate(WORLD_SLOT(WEB_1), 0, 0);
	learn_vport(WEB_1, &local);
	for (int i = 0; i < 10; i++)
		assert_out(fire_spec(WEB_1, &local), WORLD_SLOT(WEB_2));
}

static bool fabric_punts(const char *host)
{
	uint8_t frame[FRAME_MAX_BYTES];
	struct packet_outer outer = outer_from(2, 100);

	outer.src = host;
	return fire_ingress(frame, build_fabric(&outer, &inbound, frame))->fate == FATE_PUNTED;
}

/* From the fabric senders are limited by class: some other host still gets through. */
static void test_fabric_limit_by_sender(void **state)
{
	unsigned int others = 0;

	(void)state;
	sandbox_need();
	set_rate(SLOT_UPLINK, 10, 10);
	for (int i = 0; i < 40; i++)
		fabric_punts("192.0.2.2");
	assert_false(fabric_punts("192.0.2.2"));
	for (int i = 10; i < 20; i++) {
		char host[IP_ADDR_STRLEN];

		snprintf(host, sizeof(host), "192.0.2.%d", i);
		others += fabric_punts(host);
	}
	assert_true(others >= 8);
}

/* --------------------------------------------------------------------- the way in */

static void test_no_hub(void **state)
{
	(void)state;
	sandbox_need();
	fixture.ports[WORLD_SLOT(WEB_1)].hub = 0;
	assert_dropped(fire_spec(WEB_1, &local), REASON_NO_HUB);
	fixture.ports[WORLD_SLOT(WEB_1)].hub = SLOT_HUB;
	fixture.ports[SLOT_HUB].ifindex = 0;
	fixture_port(SLOT_HUB);
	assert_dropped(fire_spec(WEB_1, &local), REASON_NO_HUB);
}

static void test_feed(void **state)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	const struct shot *punted, *fed;
	uint32_t hub = 1;

	(void)state;
	sandbox_need();
	punted = fire_spec(WEB_1, &local);
	assert_dropped(fire(ENTRY_FEED, SLOT_HUB_FAR, punted->bytes, punted->len), REASON_NO_HUB);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(fixture.skel->maps.hub_socks), &hub, &fd, 0), 0);
	fed = fire(ENTRY_FEED, SLOT_HUB_FAR, punted->bytes, punted->len);
	assert_same_frame(fed, punted);
	close(fd);
}

static void test_no_headroom(void **state)
{
	uint8_t frame[FRAME_MAX_BYTES];
	size_t len = packet_build(&local, frame);

	(void)state;
	sandbox_need();
	assert_dropped(fire_without_headroom(ENTRY_EGRESS, WORLD_SLOT(WEB_1), frame, len),
		       REASON_NO_HEADROOM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_punt_from_vport),
		TEST(test_punt_from_fabric),
		TEST(test_resume_local),
		TEST(test_resume_tunnel),
		TEST(test_resume_tagged),
		TEST(test_resume_from_fabric),
		TEST(test_resume_keeps_congestion),
		TEST(test_resume_to_a_drop),
		TEST(test_coprocessor_drops),
		TEST(test_stale),
		TEST(test_bad_headers),
		TEST(test_damaged_headers),
		TEST(test_miss_limit),
		TEST(test_one_port_cannot_starve_another),
		TEST(test_limit_is_for_misses),
		TEST(test_fabric_limit_by_sender),
		TEST(test_no_hub),
		TEST(test_feed),
		TEST(test_no_headroom),
	};

	return cmocka_run_group_tests_name("hub", tests, fixture_load, fixture_unload);
}
