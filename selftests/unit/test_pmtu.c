// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pmtu.c - which reports of routers are believed, and for how long
 *
 * Reports are built around outer packets as the templates make them; each test
 * then spoils what a forger would get wrong.
 */
#include <agent/pmtu.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <selftests/packet.h>

struct report {
	uint8_t bytes[256];
	size_t len, quote;		/* where the quoted IP header begins */
	bool v6;
};

static struct pmtu_tunnel tunnel_of(enum tunnel_kind kind)
{
	return (struct pmtu_tunnel){
		.local = { packet_addr("192.0.2.1"), packet_addr("2001:db8::1") },
		.tunnel = kind,
		.udp_port = kind == TUNNEL_GENEVE ? GENEVE_PORT : kind == TUNNEL_VXLAN ? VXLAN_PORT : 0,
	};
}

/* What a router sends that could forward no more than @mtu bytes. */
static struct report report_of(enum tunnel_kind kind, bool v6, uint32_t mtu)
{
	struct packet_outer outer = { .src = v6 ? "2001:db8::1" : "192.0.2.1",
				      .dst = v6 ? "2001:db8::2" : "192.0.2.2",
				      .tunnel = kind, .vni = 100 };
	struct icmp_header icmp = { .type = v6 ? 2 : 3, .code = v6 ? 0 : 4, .rest = wire32(mtu) };
	uint8_t inner[1400] = {}, packet[PACKET_MAX];
	struct report r = { .v6 = v6 };
	struct ipv4_header ip = { .version_ihl = 0x45, .proto = PROTO_ICMP };

	packet_encapsulate(&outer, inner, sizeof(inner), packet);
	if (!v6) {
		memcpy(r.bytes, &ip, sizeof(ip));
		r.len = sizeof(ip);
	}
	memcpy(r.bytes + r.len, &icmp, sizeof(icmp));
	r.len += sizeof(icmp);
	r.quote = r.len;
	memcpy(r.bytes + r.len, packet + 14, 68);
	r.len += 68;
	return r;
}

static bool read_report(const struct report *r, enum tunnel_kind kind, struct pmtu_report *ret)
{
	struct pmtu_tunnel t = tunnel_of(kind);

	return r->v6 ? pmtu_read_icmpv6(r->bytes, r->len, &t, ret) :
		       pmtu_read_icmp(r->bytes, r->len, &t, ret);
}

static bool believed(const struct report *r, enum tunnel_kind kind)
{
	struct pmtu_report report;

	return read_report(r, kind, &report);
}

static void every_tunnel(void **state)
{
	(void)state;
	for (enum tunnel_kind kind = TUNNEL_VXLAN; kind <= TUNNEL_GRE; kind++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct report r = report_of(kind, v6, 1400);
			struct ip_addr remote = packet_addr(v6 ? "2001:db8::2" : "192.0.2.2");
			struct pmtu_report report;

			assert_true(read_report(&r, kind, &report));
			assert_int_equal(report.mtu, 1400);
			assert_memory_equal(&report.remote, &remote, sizeof(remote));
			assert_false(believed(&r, kind == TUNNEL_GRE ? TUNNEL_VXLAN : TUNNEL_GRE));
		}
}

/* Eight bytes behind the IP header are all a router must quote. */
static void cut_reports(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct report r = report_of(TUNNEL_VXLAN, v6, 1400);
		size_t enough = r.quote + (v6 ? 40 : 20) + 8;

		for (r.len = 0; r.len < enough; r.len++)
			assert_false(believed(&r, TUNNEL_VXLAN));
		r.len = enough;
		assert_true(believed(&r, TUNNEL_VXLAN));
	}
}

static void what_we_did_not_send(void **state)
{
	struct spoilt {
		int at;			/* from the quoted header */
		uint8_t value;
	};
	static const struct spoilt v4[] = { { 0, 0x65 }, { 9, PROTO_TCP }, { 15, 9 },
					    { 20, 0x10 }, { 22, 0 } };
	static const struct spoilt v6[] = { { 0, 0x45 }, { 6, PROTO_TCP }, { 23, 9 },
					    { 40, 0x10 }, { 42, 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(v4); i++) {
		struct report r = report_of(TUNNEL_VXLAN, false, 1400);

		r.bytes[r.quote + v4[i].at] = v4[i].value;
		assert_false(believed(&r, TUNNEL_VXLAN));
		r = report_of(TUNNEL_VXLAN, true, 1400);
		r.bytes[r.quote + v6[i].at] = v6[i].value;
		assert_false(believed(&r, TUNNEL_VXLAN));
	}
}

static void other_messages(void **state)
{
	struct report r = report_of(TUNNEL_VXLAN, false, 1400);

	(void)state;
	r.bytes[20 + 1] = 3;		/* port unreachable */
	assert_false(believed(&r, TUNNEL_VXLAN));
	r = report_of(TUNNEL_VXLAN, true, 1400);
	r.bytes[0] = 1;			/* unreachable */
	assert_false(believed(&r, TUNNEL_VXLAN));
}

static void sizes(void **state)
{
	struct report r = report_of(TUNNEL_VXLAN, false, 0);
	struct pmtu_report report;

	(void)state;
	assert_true(read_report(&r, TUNNEL_VXLAN, &report));	/* 1450 bytes refused, no size named */
	assert_int_equal(report.mtu, 1006);
	r = report_of(TUNNEL_VXLAN, false, 100);
	assert_true(read_report(&r, TUNNEL_VXLAN, &report));
	assert_int_equal(report.mtu, PMTU_MIN_IPV4);
	r = report_of(TUNNEL_VXLAN, true, 1279);
	assert_false(believed(&r, TUNNEL_VXLAN));
}

static void no_endpoint_of_that_family(void **state)
{
	struct report r = report_of(TUNNEL_VXLAN, true, 1400);
	struct pmtu_tunnel t = tunnel_of(TUNNEL_VXLAN);
	struct pmtu_report report;

	(void)state;
	t.local[1] = (struct ip_addr){};
	memset(r.bytes + r.quote + 8, 0, 16);
	assert_false(pmtu_read_icmpv6(r.bytes, r.len, &t, &report));
}

static void learned_for_a_while(void **state)
{
	struct pmtu p = {};

	(void)state;
	assert_int_equal(pmtu_limit(&p, 1500, 0), 1500);
	assert_true(pmtu_learn(&p, 1500, 1400, 1));
	assert_false(pmtu_learn(&p, 1400, 1450, 2));		/* a path only shrinks by report */
	assert_int_equal(pmtu_limit(&p, 1500, 2), 1400);
	assert_int_equal(pmtu_limit(&p, 1300, 2), 1300);	/* the device's is smaller still */
	assert_false(pmtu_learn(&p, 1400, 1400, 1000));		/* said again: lives longer */
	assert_int_equal(pmtu_limit(&p, 1500, PMTU_LIFE_NS + 1), 1400);
	assert_true(pmtu_learn(&p, 1400, 1350, 2000));
	assert_int_equal(pmtu_limit(&p, 1500, PMTU_LIFE_NS + 1999), 1350);
	assert_int_equal(pmtu_limit(&p, 1500, PMTU_LIFE_NS + 2000), 1500);
	assert_int_equal(p.until_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tunnel),
		cmocka_unit_test(cut_reports),
		cmocka_unit_test(what_we_did_not_send),
		cmocka_unit_test(other_messages),
		cmocka_unit_test(sizes),
		cmocka_unit_test(no_endpoint_of_that_family),
		cmocka_unit_test(learned_for_a_while),
	};

	return cmocka_run_group_tests_name("pmtu", tests, NULL, NULL);
}
