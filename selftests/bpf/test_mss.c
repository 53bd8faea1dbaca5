// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_mss.c - the stage that lowers what a SYN announces
 *
 *	web-1 ──SYN, MSS 1460──► SYN, MSS 1410 ──► tunnel that takes 1450
 *
 * The option is looked for wherever it may lie, also where its value spans two words
 * of the checksum; checksums stay right, and nothing else of the packet changes.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/sandbox.h>

#define MTU (UNDERLAY_MTU - 20 - 8 - 8 - 14)	/* VXLAN over IPv4 */
#define SYN 0x02
#define ACK 0x10

static struct packet_spec from_web(bool v6)
{
	return (struct packet_spec){
		.src = v6 ? "fd00:1::11" : "10.0.0.11",
		.dst = v6 ? "fd00:1::12" : "10.0.0.12",
		.proto = PROTO_TCP,
		.sport = 1234,
		.dport = 443,
	};
}

static void clamp(uint16_t mss)
{
	fixture.world.networks[RED].mss_clamp = mss;
	fixture_policy();
}

/* A segment with @flags and options, @len a multiple of 4. Returns the frame's length. */
static size_t build(const struct packet_spec *spec, uint8_t flags, const uint8_t *options, size_t len,
		    uint8_t *frame)
{
	struct packet_spec s = *spec;
	size_t total, l4;

	s.payload = len;
	total = packet_build(&s, frame);
	l4 = total - len - sizeof(struct tcp_header);
	memcpy(frame + l4 + 20, options, len);
	frame[l4 + 12] = (5 + len / 4) << 4;
	frame[l4 + 13] = flags;
	memset(frame + l4 + 16, 0, 2);
	packet_l4_sum(&s, frame + l4, total - l4);
	return total;
}

/* Fires it and returns the inner packet on its way out, whose sums are right. */
static const uint8_t *inner_of(const struct shot *shot, size_t len)
{
	const uint8_t *inner = shot->bytes + shot->len - len;

	assert_fate(shot, FATE_OUT);
	assert_sums(inner + 14, len - 14);
	return inner;
}

static void assert_clamped(const struct packet_spec *s, const uint8_t *options, size_t len, size_t at,
			   uint16_t want)
{
	uint8_t sent[FRAME_MAX_BYTES];
	size_t total = build(s, SYN, options, len, sent);
	const uint8_t *inner = inner_of(fire_egress(WEB_1, sent, total), total);
	size_t value = total - len + at;

	assert_int_equal(inner[value] << 8 | inner[value + 1], want);
	memset(sent + value, 0, 2);
	for (size_t i = 14; i < total; i++)	/* all else is as it was, but the sum */
		if (i < total - len - 4 || (i >= total - len && i != value && i != value + 1))
			assert_int_equal(inner[i], sent[i]);
}

static const uint8_t plain[] = { 2, 4, 0x05, 0xb4 };
static const uint8_t usual[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 };
static const uint8_t odd[] = { 1, 2, 4, 0x05, 0xb4, 1, 1, 0 };
static const uint8_t last[] = { 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 4, 2, 1, 1, 1, 1, 3, 3, 7, 1,
				1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 0x05, 0xb4 };

static void test_where_it_lies(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = from_web(v6);
		uint16_t fits = MTU - 20 - (v6 ? 40 : 20);

		clamp(MSS_CLAMP_MTU);
		learn_vport(WEB_1, &s);
		assert_clamped(&s, plain, sizeof(plain), 2, fits);
		assert_clamped(&s, usual, sizeof(usual), 2, fits);
		assert_clamped(&s, odd, sizeof(odd), 3, fits);
		assert_clamped(&s, last, sizeof(last), 38, fits);
	}
}

/* A number is an upper bound, and the MTU another. */
static void test_numbers(void **state)
{
	struct packet_spec s = from_web(false);

	(void)state;
	sandbox_need();
	clamp(1000);
	learn_vport(WEB_1, &s);
	assert_clamped(&s, plain, sizeof(plain), 2, 1000);
	clamp(9000);
	learn_vport(WEB_1, &s);
	assert_clamped(&s, plain, sizeof(plain), 2, MTU - 40);
}

/* The exact bytes come out. */
static void assert_untouched(const uint8_t *options, size_t len, uint8_t flags)
{
	struct packet_spec s = from_web(false);
	uint8_t sent[FRAME_MAX_BYTES];
	size_t total = build(&s, flags, options, len, sent);
	const uint8_t *inner = inner_of(fire_egress(WEB_1, sent, total), total);

	assert_memory_equal(inner + 14, sent + 14, total - 14);
}

static void test_left_alone(void **state)
{
	static const uint8_t small[] = { 2, 4, 0x02, 0x18 }, none[] = { 4, 2, 1, 0 };
	static const uint8_t wrong[] = { 2, 5, 0x05, 0xb4 }, zero[] = { 8, 0, 2, 4, 0x05, 0xb4, 0, 0 };
	static const uint8_t ended[] = { 0, 2, 4, 0x05, 0xb4, 0, 0, 0 };
	static const uint8_t cut[] = { 1, 1, 2, 4 };
	struct packet_spec s = from_web(false);

	(void)state;
	sandbox_need();
	clamp(MSS_CLAMP_MTU);
	learn_vport(WEB_1, &s);
	assert_untouched(plain, sizeof(plain), ACK);
	assert_untouched(plain, 0, SYN);
	assert_untouched(small, sizeof(small), SYN);
	assert_untouched(none, sizeof(none), SYN);
	assert_untouched(wrong, sizeof(wrong), SYN);
	assert_untouched(zero, sizeof(zero), SYN);
	assert_untouched(ended, sizeof(ended), SYN);
	assert_untouched(cut, sizeof(cut), SYN);
}

/* From the fabric: what the guest may send back counts, not only what its vport takes. */
static void test_fabric(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_outer outer = outer_from(2, 100);
		uint8_t inner[FRAME_MAX_BYTES], frame[FRAME_MAX_BYTES];
		struct packet_spec s = from_web(v6);
		const char *src = s.src;
		const uint8_t *out;
		size_t len;

		s.src = s.dst;
		s.dst = src;
		clamp(MSS_CLAMP_MTU);
		learn_fabric(100, outer.src, &s);
		len = build(&s, SYN | ACK, plain, sizeof(plain), inner);
		out = inner_of(fire_ingress(frame, packet_encapsulate(&outer, inner, len, frame)), len);
		assert_int_equal(out[len - 2] << 8 | out[len - 1], MTU - 20 - (v6 ? 40 : 20));
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_where_it_lies),
		TEST(test_numbers),
		TEST(test_left_alone),
		TEST(test_fabric),
	};

	return cmocka_run_group_tests_name("mss", tests, fixture_load, fixture_unload);
}
