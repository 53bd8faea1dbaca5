// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_parse.c - every branch of the frame parser, and every place a frame can end
 *
 * Frames lie directly before a page that may not be touched: one byte read too
 * far ends the test. The table says what is right; each of its frames is then cut
 * at every byte, and each is also told by its IP header to be shorter than it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <selftests/frames.h>

/* ---------------------------------------------------------------- guarded memory */

static uint8_t *guard;			/* first byte that may not be read */

static int map_guard(void **state)
{
	size_t page = sysconf(_SC_PAGESIZE), room = (PACKET_MAX + page - 1) / page * page;
	uint8_t *m = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (m == MAP_FAILED)
		return -1;
	guard = m + room;
	return mprotect(guard, page, PROT_NONE);
}

struct result {
	int reason;
	struct flow_key key;
	struct frame frame;
};

static struct result parse(const uint8_t *bytes, size_t len)
{
	struct result r = {};

	memcpy(guard - len, bytes, len);
	r.reason = parse_frame(guard - len, guard, &r.key, &r.frame);
	return r;
}

/* --------------------------------------------------------------------- helpers */

static uint16_t vid(const struct packet_spec *s, unsigned int i)
{
	return i < s->n_tags ? (s->tags[i] & VLAN_VID_MASK) | FLOW_VLAN_PRESENT : 0;
}

static void assert_key(const struct result *r, const struct frame_case *c, const struct frame_layout *l)
{
	bool ports = l->l4_end > l->l4;
	struct ip_addr src = packet_addr(c->spec.src), dst = packet_addr(c->spec.dst);

	assert_memory_equal(&r->key.src, &src, sizeof(src));
	assert_memory_equal(&r->key.dst, &dst, sizeof(dst));
	assert_int_equal(r->key.proto, c->spec.proto);
	assert_int_equal(host16(r->key.sport), ports ? c->spec.sport : 0);
	assert_int_equal(host16(r->key.dport), ports ? c->spec.dport : 0);
	assert_int_equal(r->key.vlan[0], vid(&c->spec, 0));
	assert_int_equal(r->key.vlan[1], vid(&c->spec, 1));
	assert_int_equal(r->key.scope | r->key.tuple | r->key.pad, 0);
	assert_int_equal(r->frame.kind, ip_addr_is_v4(&src) ? FRAME_IPV4 : FRAME_IPV6);
	assert_int_equal(r->frame.fragment, frame_fragment_of(&c->spec));
	assert_int_equal(r->frame.tos, c->spec.tos);
	assert_int_equal(r->frame.n_tags, c->spec.n_tags);
	assert_int_equal(r->frame.l3, l->l3);
	assert_int_equal(r->frame.l4, l->l4);
	assert_int_equal(r->frame.end, l->len);
}

/* ------------------------------------------------------------------------ tests */

static void test_case(void **state)
{
	const struct frame_case *c = *state;
	uint8_t buf[PACKET_MAX];
	struct frame_layout l;
	size_t len = frame_build(c, buf, &l);
	struct result r = parse(buf, len);

	assert_int_equal(r.reason, c->reason);
	if (!r.reason)
		assert_key(&r, c, &l);
}

/* A transport header that is cut short. */
static enum drop_reason l4_reason(const struct packet_spec *s)
{
	return frame_fragment_of(s) == FRAGMENT_FIRST ? REASON_FRAGMENT_TINY : REASON_L4_HEADER;
}

/* What is left of a good frame after @n bytes, by where the cut falls. */
static enum drop_reason cut_reason(const struct packet_spec *s, const struct frame_layout *l, size_t n)
{
	struct ip_addr src = packet_addr(s->src);

	if (n < l->l3 + (ip_addr_is_v4(&src) ? 20 : 40))
		return REASON_SHORT_FRAME;
	if (n < l->chain_end)
		return REASON_IPV6_EXTENSIONS;
	return packet_l4_header_len(s->proto) && n < l->l4_end && l->l4_end > l->l4 ?
		l4_reason(s) : REASON_NONE;
}

static void test_cut_at_every_byte(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNT(frame_cases); i++) {
		uint8_t buf[PACKET_MAX];
		struct frame_layout l;
		size_t len = frame_build(&frame_cases[i], buf, &l);

		for (size_t n = 0; n <= len; n++) {
			struct result r = parse(buf, n);

			if (frame_cases[i].reason)
				continue;	/* refused or not: it must not read on */
			assert_int_equal(r.reason, cut_reason(&frame_cases[i].spec, &l, n));
		}
	}
}

static void claim_length(uint8_t *buf, const struct frame_layout *l, bool v4, uint16_t total)
{
	__be16 field = wire16(v4 ? total : total - 40);

	memcpy(buf + l->l3 + (v4 ? 2 : 4), &field, sizeof(field));
}

/* A good frame that claims @total bytes of IP, fewer than it has. */
static enum drop_reason claim_reason(const struct packet_spec *s, const struct frame_layout *l,
				     size_t total)
{
	struct ip_addr src = packet_addr(s->src);
	bool more = s->fragment & (ip_addr_is_v4(&src) ? IPV4_MF : IPV6_MF);
	bool first = frame_fragment_of(s) == FRAGMENT_FIRST;
	size_t left = l->l3 + total - l->l4;

	if (l->l3 + total < l->l4)
		return first && l->l3 + total >= l->l4 - 8u ? REASON_FRAGMENT_TINY :
							      REASON_IPV6_EXTENSIONS;
	if (l->l3 + total < l->l4_end)
		return l4_reason(s);
	if (!frame_fragment_of(s))
		return REASON_NONE;
	return !left || (more && left & 7) ? REASON_FRAGMENT_FORM : REASON_NONE;
}

/* The IP header's word counts, not the frame's: what lies behind is padding. */
static void test_every_claimed_length(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNT(frame_cases); i++) {
		const struct packet_spec *s = &frame_cases[i].spec;
		struct ip_addr src = packet_addr(s->src);
		bool v4 = ip_addr_is_v4(&src);
		uint8_t buf[PACKET_MAX];
		struct frame_layout l;
		size_t len = frame_build(&frame_cases[i], buf, &l);

		if (frame_cases[i].reason)
			continue;
		for (size_t total = v4 ? 20 + 4 * s->option_words : 40; total < len - l.l3; total++) {
			struct result r;

			claim_length(buf, &l, v4, total);
			r = parse(buf, len);
			if (claim_reason(s, &l, total) || !r.reason)
				assert_int_equal(r.reason, claim_reason(s, &l, total));
			if (!r.reason)
				assert_int_equal(r.frame.end, l.l3 + total);
		}
	}
}

/* Longer than the frame is the caller's question: the parser reports what the header says. */
static void test_claims_beyond_the_frame(void **state)
{
	static const struct frame_case c = { .spec = { V4, PORTS, .proto = PROTO_TCP } };
	uint8_t buf[PACKET_MAX];
	struct frame_layout l;
	size_t len = frame_build(&c, buf, &l);
	struct result r;

	(void)state;
	claim_length(buf, &l, true, 1500);
	r = parse(buf, len);
	assert_int_equal(r.reason, 0);
	assert_int_equal(r.frame.end, l.l3 + 1500);
}

static void test_padding(void **state)
{
	static const struct frame_case c = { .spec = { V4, PORTS, .proto = PROTO_UDP } };
	uint8_t buf[PACKET_MAX] = {};
	struct frame_layout l;
	size_t len = frame_build(&c, buf, &l);
	struct result r = parse(buf, 60);

	(void)state;
	assert_true(len < 60);
	assert_int_equal(r.reason, 0);
	assert_int_equal(r.frame.end, len);
}

static void test_arp(void **state)
{
	uint8_t plain[14] = { [12] = 0x08, [13] = 0x06 };
	uint8_t tagged[18] = { [12] = 0x81, [15] = 0x0a, [16] = 0x08, [17] = 0x06 };
	struct result r = parse(plain, sizeof(plain));

	(void)state;
	assert_int_equal(r.reason, 0);
	assert_int_equal(r.frame.kind, FRAME_ARP);
	assert_int_equal(r.frame.l3, 14);
	assert_int_equal(r.key.proto, 0);
	r = parse(tagged, sizeof(tagged));
	assert_int_equal(r.reason, 0);
	assert_int_equal(r.frame.kind, FRAME_ARP);
	assert_int_equal(r.frame.l3, 18);
	assert_int_equal(r.key.vlan[0], 10 | FLOW_VLAN_PRESENT);
}

/* Good frames with bytes spoilt at random: never past the guard, never an impossible answer. */
static void test_random_damage(void **state)
{
	const char *seed = getenv("MIRACH_TEST_SEED");
	unsigned int rng = seed ? strtoul(seed, NULL, 0) : (unsigned int)time(NULL);

	(void)state;
	printf("# seed %u\n", rng);
	srand(rng);
	for (int round = 0; round < 200000; round++) {
		uint8_t buf[PACKET_MAX];
		struct frame_layout l;
		size_t len = frame_build(&frame_cases[rand() % COUNT(frame_cases)], buf, &l);
		struct result r;

		for (int i = rand() % 4; i >= 0; i--)
			buf[rand() % (len < 90 ? len : 90)] = rand();
		r = parse(buf, rand() % 8 ? len : rand() % len);
		if (r.reason || r.frame.kind == FRAME_ARP)
			continue;
		assert_true(r.frame.kind == FRAME_IPV4 || r.frame.kind == FRAME_IPV6);
		assert_true(r.frame.n_tags <= 2);
		assert_int_equal(r.frame.l3, 14 + 4 * r.frame.n_tags);
		assert_true(r.frame.l3 + 20 <= r.frame.l4);
		assert_true(r.frame.l4 <= r.frame.end);
		if (r.frame.fragment == FRAGMENT_LATER)
			assert_int_equal(r.key.sport | r.key.dport, 0);
	}
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_every_claimed_length),
		cmocka_unit_test(test_claims_beyond_the_frame),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_random_damage),
	};
	struct CMUnitTest tests[COUNT(frame_cases) + COUNT(plain)] = {};

	for (unsigned int i = 0; i < COUNT(frame_cases); i++)
		tests[i] = (struct CMUnitTest){ .name = frame_cases[i].name, .test_func = test_case,
						.initial_state = (void *)&frame_cases[i] };
	memcpy(tests + COUNT(frame_cases), plain, sizeof(plain));
	return cmocka_run_group_tests_name("parse", tests, map_guard, NULL);
}
