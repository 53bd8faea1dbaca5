// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_frag_hold.c - fragments in any order against a simple twin
 *
 * The twin draws a map of 8192 units for each datagram and knows nothing of lists. Datagrams
 * of several owners are cut at random, some pieces repeated or shifted, and come in
 * random order; both must say the same of each, what was held must come out sorted,
 * once, and nothing may be left behind.
 */
#include <agent/frag_hold.h>
#include <agent/xsk.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <lib/addr.h>
#include <selftests/packet.h>

#define MAX FRAG_HOLD_MAX

static uint32_t secret[FLOW_SECRET_WORDS];
static char frames[1 << 16];			/* one byte stands for one frame */

static struct flow_key key_of(uint32_t slot, bool v6)
{
	return (struct flow_key){
		.src = packet_addr(v6 ? "fd00::1" : "10.0.0.1"),
		.dst = packet_addr(v6 ? "fd00::2" : "10.0.0.2"),
		.scope = SCOPE_VPORT | slot,
		.proto = PROTO_UDP,
		.tuple = FLOW_TUPLE_5,
	};
}

static struct fragment at(uint32_t id, unsigned int begin, unsigned int end, bool last)
{
	return (struct fragment){ .id = id, .begin = begin, .end = end, .len = 8 * (end - begin),
				  .is_last = last };
}

static int later_of(struct frag_hold *h, uint32_t slot, struct fragment place, int frame, size_t len,
		    uint64_t now)
{
	struct flow_key key = key_of(slot, false);
	struct iovec iov = { &frames[frame], len };
	int err = frag_hold_later(h, &key, &place, &iov, now);

	if (!err)
		assert_int_equal(key.sport, wire16(7));
	return err;
}

static int later(struct frag_hold *h, uint32_t slot, struct fragment place, int frame, uint64_t now)
{
	return later_of(h, slot, place, frame, 1, now);
}

static int first(struct frag_hold *h, uint32_t slot, struct fragment place, uint64_t now)
{
	struct flow_key key = key_of(slot, false);

	key.sport = wire16(7);
	return frag_hold_first(h, &key, &place, now);
}

static int take(struct frag_hold *h, uint32_t slot, uint32_t id)
{
	struct flow_key key = key_of(slot, false);
	struct fragment place = at(id, 0, 1, false);
	struct iovec iov;

	return frag_hold_take(h, &key, &place, &iov) ? (char *)iov.iov_base - frames : -1;
}

static struct frag_hold *make(void)
{
	struct frag_hold *h;

	assert_int_equal(frag_hold_new(secret, MAX, &h), 0);
	return h;
}

static void released_in_order(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	assert_int_equal(later(h, 5, at(1, 30, 40, true), 3, 0), FRAG_HELD);
	assert_int_equal(later(h, 5, at(1, 10, 20, false), 1, 0), FRAG_HELD);
	assert_int_equal(later(h, 5, at(2, 10, 20, false), 9, 0), FRAG_HELD);
	assert_int_equal(later(h, 5, at(1, 20, 30, false), 2, 0), FRAG_HELD);
	assert_int_equal(take(h, 5, 1), -1);		/* not before the first */
	assert_int_equal(first(h, 5, at(1, 0, 10, false), 0), 0);
	assert_int_equal(take(h, 5, 1), 1);
	assert_int_equal(take(h, 5, 1), 2);
	assert_int_equal(take(h, 5, 1), 3);
	assert_int_equal(take(h, 5, 1), -1);
	assert_int_equal(frag_hold_count(h), 1);	/* that of datagram 2 */
	frag_hold_free(h);
}

static void open_datagram_gives_its_ports(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	assert_int_equal(first(h, 5, at(1, 0, 10, false), 0), 0);
	assert_int_equal(later(h, 5, at(1, 10, 20, true), 0, 0), 0);
	assert_int_equal(later(h, 6, at(1, 10, 20, true), 0, 0), FRAG_HELD);	/* of another guest */
	frag_hold_free(h);
}

static void overlaps_are_named(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	assert_int_equal(later(h, 5, at(1, 10, 20, false), 0, 0), FRAG_HELD);
	assert_int_equal(later(h, 5, at(1, 10, 20, false), 1, 0), -REASON_FRAGMENT_OVERLAP);
	assert_int_equal(later(h, 5, at(1, 19, 25, false), 1, 0), -REASON_FRAGMENT_OVERLAP);
	assert_int_equal(later(h, 5, at(1, 5, 30, false), 1, 0), -REASON_FRAGMENT_OVERLAP);
	assert_int_equal(later(h, 5, at(1, 5, 8, true), 1, 0), -REASON_FRAGMENT_OVERLAP);
	assert_int_equal(first(h, 5, at(1, 0, 11, false), 0), -REASON_FRAGMENT_OVERLAP);
	assert_int_equal(first(h, 5, at(1, 0, 10, false), 0), 0);
	assert_int_equal(first(h, 5, at(1, 0, 10, false), 0), -REASON_FRAGMENT_OVERLAP);
	assert_int_equal(later(h, 5, at(1, 30, 40, true), 1, 0), 0);
	assert_int_equal(later(h, 5, at(1, 40, 41, false), 1, 0), -REASON_FRAGMENT_OVERLAP);
	frag_hold_free(h);
}

static void a_flood_costs_its_owner_only(void **state)
{
	struct frag_hold *h = make();
	unsigned int held = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		held += later(h, 5, at(i, 10, 20, false), i, 0) == FRAG_HELD;
	assert_int_equal(held, FRAG_HOLD_OWNER);
	assert_int_equal(later(h, 5, at(0, 20, 30, false), 0, 0), -REASON_FRAGMENT_LIMIT);
	assert_int_equal(later(h, 6, at(0, 20, 30, false), 0, 0), FRAG_HELD);
	for (uint32_t slot = 7; slot < 100; slot++)
		for (int i = 0; i < 20; i++)
			later(h, slot, at(i, 10, 20, false), 0, 0);
	assert_int_equal(frag_hold_count(h), FRAG_HOLD_MAX);
	frag_hold_free(h);
}

/* A frame of 9000 bytes lies in three buffers. What is taken gives back as many. */
static void long_frames_count_by_their_buffers(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < FRAG_HOLD_OWNER / 3; i++)
			assert_int_equal(later_of(h, 5, at(1, 10 * i + 10, 10 * i + 20, false), i, 9000, 0),
					 FRAG_HELD);
		assert_int_equal(later_of(h, 5, at(2, 10, 20, false), 0, XSK_BUFFER + 1, 0),
				 -REASON_FRAGMENT_LIMIT);
		assert_int_equal(later_of(h, 5, at(2, 10, 20, false), 0, XSK_BUFFER, 0), FRAG_HELD);
		assert_int_equal(later(h, 5, at(2, 20, 30, false), 0, 0), -REASON_FRAGMENT_LIMIT);
		assert_int_equal(first(h, 5, at(1, 0, 10, false), 0), 0);
		assert_int_equal(first(h, 5, at(2, 0, 10, false), 0), 0);
		while (take(h, 5, 1) >= 0 || take(h, 5, 2) >= 0)
			;
		assert_int_equal(frag_hold_count(h), 0);
		frag_hold_free(h);
		h = make();
	}
	frag_hold_free(h);
}

/* However long the frames: a socket's buffers are never all held. */
static void all_together_leave_buffers(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	for (uint32_t slot = 1; slot < 100; slot++)
		for (int i = 0; i < 20; i++)
			later_of(h, slot, at(i, 10, 20, false), 0, 9000, 0);
	assert_int_equal(frag_hold_count(h), FRAG_HOLD_MAX / 3);
	frag_hold_free(h);
}

static void what_only_remembers_makes_room(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	for (unsigned int i = 0; i < 3 * FRAG_HOLD_OWNER; i++)
		assert_int_equal(first(h, 5, at(i, 0, 10, false), 0), 0);
	assert_int_equal(later(h, 5, at(0, 10, 20, false), 0, 0), FRAG_HELD);
	frag_hold_free(h);
}

static void time_passes(void **state)
{
	struct frag_hold *h = make();
	struct iovec iov;

	(void)state;
	assert_int_equal(later(h, 5, at(1, 10, 20, false), 1, 0), FRAG_HELD);
	assert_int_equal(later(h, 5, at(1, 20, 30, false), 2, FRAG_HOLD_NS / 2), FRAG_HELD);
	assert_int_equal(later(h, 5, at(2, 20, 30, false), 3, FRAG_HOLD_NS / 2), FRAG_HELD);
	assert_false(frag_hold_expired(h, FRAG_HOLD_NS - 1, &iov));
	assert_true(frag_hold_expired(h, FRAG_HOLD_NS, &iov));
	assert_ptr_equal(iov.iov_base, &frames[1]);
	assert_true(frag_hold_expired(h, FRAG_HOLD_NS, &iov));
	assert_ptr_equal(iov.iov_base, &frames[2]);
	assert_false(frag_hold_expired(h, FRAG_HOLD_NS, &iov));
	assert_int_equal(frag_hold_count(h), 1);
	assert_true(frag_hold_expired(h, UINT64_MAX, &iov));
	assert_int_equal(frag_hold_count(h), 0);
	frag_hold_free(h);
}

/* RFC 8200 section 4.5: in IPv6 the protocol is the first fragment's, whatever later ones say. */
static void protocol_of_the_first(void **state)
{
	struct frag_hold *h = make();

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct flow_key key = key_of(5, v6), key_first = key;
		struct iovec iov = { &frames[0], 1 };
		struct fragment second = at(9, 10, 20, true), begin = at(9, 0, 10, false);

		key.proto = PROTO_DSTOPTS;
		assert_int_equal(frag_hold_first(h, &key_first, &begin, 0), 0);
		assert_int_equal(frag_hold_later(h, &key, &second, &iov, 0), v6 ? 0 : FRAG_HELD);
		assert_int_equal(key.proto, v6 ? PROTO_UDP : PROTO_DSTOPTS);
	}
	frag_hold_free(h);
}

/* ------------------------------------------------------------------- random orders */

#define UNITS 8193u

struct twin {
	uint8_t taken[UNITS];
	bool open;
	unsigned int total, n_held, highest;
	int held[UNITS];			/* by begin: frame + 1 */
};

static bool twin_accepts(struct twin *t, const struct fragment *f)
{
	if (t->total && (f->is_last || f->end > t->total))
		return false;
	if (f->is_last && t->highest > f->end)
		return false;
	for (unsigned int u = f->begin; u < f->end; u++)
		if (t->taken[u])
			return false;
	memset(t->taken + f->begin, 1, f->end - f->begin);
	if (f->is_last)
		t->total = f->end;
	if (f->end > t->highest)
		t->highest = f->end;
	return true;
}

/* Cuts one datagram into pieces, disturbs some, shuffles them. */
static unsigned int cut(struct fragment *ret, uint32_t id)
{
	unsigned int n = 0, begin = 0, pieces = 2 + rand() % 14;

	while (n < pieces) {
		unsigned int end = begin + 1 + rand() % 100;

		ret[n] = at(id, begin, end, n + 1 == pieces);
		begin = end;
		n++;
	}
	for (unsigned int i = rand() % 3; i; i--) {
		ret[n] = ret[rand() % n];
		if (ret[n].begin && rand() % 2)
			ret[n].begin--, ret[n].end += rand() % 2;
		n++;
	}
	for (unsigned int i = n - 1; i; i--) {
		unsigned int j = rand() % (i + 1);
		struct fragment x = ret[i];

		ret[i] = ret[j];
		ret[j] = x;
	}
	return n;
}

static void release_all(struct frag_hold *h, struct twin *t, uint32_t slot, uint32_t id)
{
	for (unsigned int u = 0; u < UNITS; u++) {
		if (!t->held[u])
			continue;
		assert_int_equal(take(h, slot, id), t->held[u] - 1);
		t->held[u] = 0;
	}
	t->n_held = 0;
	assert_int_equal(take(h, slot, id), -1);
}

static void one_datagram(struct frag_hold *h, struct twin *t, uint32_t slot, uint32_t id)
{
	struct fragment pieces[32];
	unsigned int n = cut(pieces, id);
	struct iovec iov;

	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < n; i++) {
		struct fragment *f = &pieces[i];
		bool accepted = twin_accepts(t, f), held = f->begin && !t->open;
		int want = !accepted ? -REASON_FRAGMENT_OVERLAP : held ? FRAG_HELD : 0;

		if (f->begin)
			assert_int_equal(later(h, slot, *f, i, 0), want);
		else
			assert_int_equal(first(h, slot, *f, 0), want);
		if (accepted && held) {
			t->held[f->begin] = i + 1;
			t->n_held++;
		}
		assert_int_equal(frag_hold_count(h), t->n_held);
		if (accepted && !f->begin) {
			t->open = true;
			release_all(h, t, slot, id);
		}
	}
	for (n = 0; frag_hold_expired(h, UINT64_MAX, &iov); n++)
		;
	assert_int_equal(n, t->n_held);
}

static void any_order(void **state)
{
	const char *text = getenv("MIRACH_TEST_SEED");
	unsigned int seed = text ? strtoul(text, NULL, 0) : (unsigned int)time(NULL);
	struct twin *t = malloc(sizeof(*t));
	struct frag_hold *h = make();

	(void)state;
	print_message("# seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 5000; round++)
		one_datagram(h, t, 1 + rand() % 100, rand());
	frag_hold_free(h);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(released_in_order),
		cmocka_unit_test(open_datagram_gives_its_ports),
		cmocka_unit_test(overlaps_are_named),
		cmocka_unit_test(a_flood_costs_its_owner_only),
		cmocka_unit_test(long_frames_count_by_their_buffers),
		cmocka_unit_test(all_together_leave_buffers),
		cmocka_unit_test(what_only_remembers_makes_room),
		cmocka_unit_test(time_passes),
		cmocka_unit_test(protocol_of_the_first),
		cmocka_unit_test(any_order),
	};

	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		secret[i] = 0x9e3779b9u * (i + 1);
	return cmocka_run_group_tests_name("frag_hold", tests, NULL, NULL);
}
