// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_board.c - a hoverboard sends on what is for its endpoints, and answers S-BFD
 *
 * The uplink has the hoverboard's flag. Endpoints are 10.0.0.12 and fd00:1::12 of host 2,
 * 10.9.5.7 and fd00:2::7 of host 4.
 */
#include "fixture.h"

#include <string.h>

#include <agent/endpoint_table.h>
#include <agent/health.h>
#include <selftests/bpf/sandbox.h>

#define ENDPOINTS 65537u		/* as the object has it without an agent */
#define HERE 2u				/* next hops: RED_12's host, and the other one */
#define THERE 4u

static struct endpoint_table table;

static const struct packet_spec pairs[] = {
	{ .src = "10.0.0.12", .dst = "10.9.5.7", .proto = PROTO_UDP, .sport = 1, .dport = 2, .payload = 60 },
	{ .src = "fd00:1::12", .dst = "fd00:2::7", .proto = PROTO_TCP, .sport = 3, .dport = 4,
	  .payload = 200 },
};

static uint16_t nexthop_of(unsigned int host)
{
	return host == HERE ? WORLD_REMOTE_NEXTHOP(RED_12) : WORLD_REMOTE_NEXTHOP(RED_NARROW);
}

static void endpoint(const char *addr, unsigned int host)
{
	struct endpoint_to to = { .nexthop = nexthop_of(host), .mac = { 2, 0, 0, 9, 9, host } }, old;
	const struct ip_addr a = packet_addr(addr);

	fixture.nexthops[to.nexthop].remote = packet_addr(fixture_host(host));
	assert_int_equal(endpoint_table_put(&table, 100, &a, &to, &old), 0);
}

static void board(bool v6)
{
	const struct underlay_shape shape = { .tunnel = TUNNEL_VXLAN, .v6 = v6 };

	fixture_underlay(&shape);
	fixture.ports[SLOT_UPLINK].flags |= PORT_HOVERBOARD;
	fixture_port(SLOT_UPLINK);
	for (unsigned int i = 0; i < 2; i++) {
		endpoint(pairs[i].src, HERE);
		endpoint(pairs[i].dst, THERE);
	}
}

static const struct shot *from_host(unsigned int host, uint32_t vni, const struct packet_spec *spec)
{
	const struct packet_outer outer = outer_from(host, vni);
	uint8_t frame[FRAME_MAX_BYTES];

	return fire_ingress(frame, build_fabric(&outer, spec, frame));
}

static int set_up(void **state)
{
	if (fixture_load(state) || geteuid())
		return geteuid() ? 0 : -1;
	return endpoint_table_init(&table, fixture.endpoint_index, fixture.endpoints, ENDPOINTS,
				   fixture.memory.secret);
}

/* The inner frame leaves as it came but for its destination MAC: nobody touched TTL or sums. */
static void test_sends_on(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		board(v6);
		for (unsigned int i = 0; i < 2; i++) {
			uint8_t inner[FRAME_MAX_BYTES];
			size_t len = packet_build(&pairs[i], inner), outer = v6 ? 70 : 50;
			const struct shot *shot = from_host(HERE, 100, &pairs[i]);
			struct ip_addr to = packet_addr(fixture_host(THERE));

			assert_out(shot, SLOT_UPLINK);
			assert_int_equal(shot->len, outer + len);
			assert_memory_equal(shot->bytes + (v6 ? 38 : 30), v6 ? &to.w[0] : &to.w[3],
					    v6 ? 16 : 4);
			assert_int_equal(shot->bytes[outer - 8 + 6], 100);	/* VNI */
			assert_int_equal(shot->bytes[outer + 5], THERE);	/* MAC of the instance */
			assert_memory_equal(shot->bytes + outer + 6, inner + 6, len - 6);
		}
	}
}

static void test_verifies_senders(void **state)
{
	struct packet_spec p = pairs[0];

	(void)state;
	sandbox_need();
	board(false);
	assert_dropped(from_host(3, 100, &p), REASON_SPOOFED_OUTER);
	assert_dropped(from_host(THERE, 100, &p), REASON_SPOOFED_OUTER);
	p.dst = "10.0.0.99";
	assert_dropped(from_host(3, 100, &p), REASON_SPOOFED_OUTER);
	p.dst = p.src;
	assert_dropped(from_host(HERE, 100, &p), REASON_GOES_BACK);
}

/* What is no endpoint goes the flow's way, and says whether its source is verified. */
static void test_asks_the_policy(void **state)
{
	struct packet_spec p = pairs[0];
	struct hub_header hub;
	const struct shot *shot;

	(void)state;
	sandbox_need();
	board(false);
	p.dst = "10.0.0.99";
	shot = from_host(HERE, 100, &p);
	assert_fate(shot, FATE_PUNTED);
	memcpy(&hub, shot->bytes, sizeof(hub));
	assert_int_equal(hub.scope, SCOPE_FABRIC | SCOPE_VERIFIED | 100);
	p.src = "10.0.0.98";
	shot = from_host(HERE, 100, &p);
	assert_fate(shot, FATE_PUNTED);
	memcpy(&hub, shot->bytes, sizeof(hub));
	assert_int_equal(hub.scope, SCOPE_FABRIC | 100);
	shot = from_host(HERE, 200, &pairs[0]);		/* another tenant's addresses are others */
	assert_fate(shot, FATE_PUNTED);
}

static void test_only_with_the_role(void **state)
{
	(void)state;
	sandbox_need();
	board(false);
	fixture.ports[SLOT_UPLINK].flags &= ~PORT_HOVERBOARD;
	fixture_port(SLOT_UPLINK);
	assert_fate(from_host(HERE, 100, &pairs[0]), FATE_PUNTED);
}

static void test_next_hop_down(void **state)
{
	static const struct nexthop_body down;

	(void)state;
	sandbox_need();
	board(false);
	fixture_nexthop(nexthop_of(THERE), &down);
	assert_dropped(from_host(HERE, 100, &pairs[0]), REASON_NEXTHOP_DOWN);
}

/* What the way to THERE takes, from now on. */
static void narrow(uint32_t mtu)
{
	struct nexthop_body body = fixture.nexthops[nexthop_of(THERE)].body
		[fixture.nexthops[nexthop_of(THERE)].active & 1];

	body.mtu = mtu;
	fixture_nexthop(nexthop_of(THERE), &body);
}

static struct packet_spec large(unsigned int pair)
{
	struct packet_spec p = pairs[pair];

	p.payload = 1350;
	p.fragment = pair ? 0 : IPV4_DF;
	return p;
}

/* The sender is told by the destination's name, by way of its own host, and finds its packet quoted. */
static void test_too_big(void **state)
{
	static const struct icmp_wanted want = { 3, 2, 4, 1300, 68, 128 };

	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++)
		for (unsigned int i = 0; i < 2; i++) {
			const struct packet_spec p = large(i);
			size_t outer = v6 ? 70 : 50;
			struct ip_addr to;
			uint8_t sent[FRAME_MAX_BYTES];
			const struct shot *shot;
			uint64_t delivered;

			board(v6);
			narrow(1300);
			delivered = usage_of(SLOT_UPLINK).delivered;
			shot = from_host(HERE, 100, &p);
			assert_fate(shot, FATE_REPLIED);
			assert_int_equal(usage_of(SLOT_UPLINK).delivered, delivered + 1);
			to = packet_addr(fixture_host(HERE));
			assert_memory_equal(shot->bytes + (v6 ? 38 : 30), v6 ? &to.w[0] : &to.w[3],
					    v6 ? 16 : 4);
			assert_int_equal(shot->bytes[outer - 8 + 6], 100);	/* VNI */
			assert_int_equal(shot->bytes[outer + 5], HERE);		/* MAC of the sender */
			packet_build(&p, sent);
			assert_memory_equal(shot->bytes + outer + 6, sent + 6, ETH_ADDR_LEN);
			assert_icmp_error(shot->bytes + outer + 14, shot->len - outer - 14, &p,
					  &want, packet_addr(p.dst));
		}
}

/* What the sender was told fits. Whoever did not ask, or is told already, gets no answer. */
static void test_too_big_unanswered(void **state)
{
	struct packet_spec p = large(0);
	unsigned int n_replied = 0;

	(void)state;
	sandbox_need();
	board(false);
	narrow(1300);
	p.payload = 1300 - 20 - 8;
	assert_out(from_host(HERE, 100, &p), SLOT_UPLINK);
	p.payload++;
	p.fragment = 0;
	assert_dropped(from_host(HERE, 100, &p), REASON_TOO_BIG);
	p.fragment = IPV4_DF;
	p.proto = PROTO_ICMP;
	p.sport = 3;
	assert_dropped(from_host(HERE, 100, &p), REASON_TOO_BIG);
	assert_dropped(from_host(3, 100, &p), REASON_SPOOFED_OUTER);
	p = large(0);
	for (int i = 0; i < 200; i++)
		n_replied += from_host(HERE, 100, &p)->fate == FATE_REPLIED;
	print_message("%u of 200 answered\n", n_replied);
	assert_in_range(n_replied, 1, 150);
	assert_int_equal(drops_of(SLOT_UPLINK, REASON_TOO_BIG), 200 - n_replied + 2);
}

static size_t question(__be32 theirs, uint8_t *frame)
{
	const struct packet_outer o = outer_from(HERE, 100);
	struct packet_spec q = { .src = o.src, .dst = o.dst, .proto = PROTO_UDP, .sport = 40000,
				 .dport = SBFD_PORT, .payload = sizeof(struct bfd_header) };
	size_t len = packet_build(&q, frame);
	struct bfd_header bfd;

	health_question(&bfd, wire32(77), theirs);
	memcpy(frame + len - sizeof(bfd), &bfd, sizeof(bfd));
	memset(frame + len - sizeof(bfd) - 2, 0, 2);	/* no checksum: probe.h */
	return len;
}

static void test_reflects(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct ip_addr here;
		uint8_t frame[FRAME_MAX_BYTES];
		const struct shot *shot;
		size_t len;

		board(v6);
		here = packet_addr(outer_from(HERE, 100).dst);
		len = question(sbfd_discriminator(&here), frame);
		shot = fire_ingress(frame, len);
		assert_fate(shot, FATE_REPLIED);
		assert_int_equal(shot->len, len);
		assert_true(health_is_answer(shot->bytes + len - 24, 24, wire32(77),
					     sbfd_discriminator(&here)));
		assert_memory_equal(shot->bytes + 6, fixture.ports[SLOT_UPLINK].mac, ETH_ADDR_LEN);
		len = question(wire32(12345), frame);
		assert_fate(fire_ingress(frame, len), FATE_PASSED);
		frame[len - 24] = 0;			/* another version */
		assert_fate(fire_ingress(frame, len), FATE_PASSED);
		fixture.ports[SLOT_UPLINK].flags &= ~PORT_HOVERBOARD;
		fixture_port(SLOT_UPLINK);
		len = question(sbfd_discriminator(&here), frame);
		assert_fate(fire_ingress(frame, len), FATE_PASSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sends_on, fixture_reset),
		cmocka_unit_test_setup(test_verifies_senders, fixture_reset),
		cmocka_unit_test_setup(test_asks_the_policy, fixture_reset),
		cmocka_unit_test_setup(test_only_with_the_role, fixture_reset),
		cmocka_unit_test_setup(test_next_hop_down, fixture_reset),
		cmocka_unit_test_setup(test_too_big, fixture_reset),
		cmocka_unit_test_setup(test_too_big_unanswered, fixture_reset),
		cmocka_unit_test_setup(test_reflects, fixture_reset),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_unload);
}
