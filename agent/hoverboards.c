// SPDX-License-Identifier: BSD-2-Clause
/*
 * hoverboards.c - questions, answers, slots; the rules are in hoverboards.h
 *
 * Answers that wait in a socket are read before a question without answer is counted.
 */
#include <agent/hoverboards.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include <agent/health.h>
#include <agent/nexthops.h>
#include <agent/policy/policy.h>
#include <agent/probe.h>
#include <agent/underlay.h>
#include <lib/addr.h>
#include <lib/clock.h>
#include <lib/log.h>

#define GATEWAY_SETS_MAX 64u		/* a quarter of all ids of next hops */

struct board {
	struct ip_addr addr;
	struct health health;
	__be32 mine;			/* our discriminator towards it */
	struct probe probe;
	uint64_t asked, answered;
};

struct set {
	struct board_set boards;
	uint64_t digest;
	uint32_t id[BOARD_SLOTS];
	bool leaving;
};

struct hoverboards {
	struct underlay *underlay;
	struct nexthops *nexthops;
	struct event_base *base;
	struct event *timer;
	struct ip_addr local[2];
	struct board **boards;		/* each has events that point to it */
	unsigned int n_boards;
	struct set *sets;
	unsigned int n_sets;
	uint32_t (*rows)[BOARD_SLOTS];	/* ids of the sets, as the policy wants them */
};

static struct board *find_board(const struct hoverboards *h, const struct ip_addr *addr)
{
	for (unsigned int i = 0; i < h->n_boards; i++)
		if (ip_addr_equal(&h->boards[i]->addr, addr))
			return h->boards[i];
	return NULL;
}

/* Slots. */

static void write_slot(struct hoverboards *h, const struct set *s, unsigned int slot)
{
	const struct ip_addr *addr = &s->boards.addr[s->boards.slot[slot]];
	uint32_t host = underlay_host_id(h->underlay, addr);
	struct nexthop_body body;
	struct error e = {};

	if (!host)
		return;
	body = *nexthops_body(h->nexthops, host);
	if (nexthops_put(h->nexthops, s->id[slot], &body, addr, &e) < 0)
		log_error("slot not written", "id", log_fmt("%u", s->id[slot]), "error", e.text);
}

static bool is_healthy(const struct hoverboards *h, const struct ip_addr *addr)
{
	const struct board *b = find_board(h, addr);

	return b && b->health.up && underlay_reachable(h->underlay, addr);
}

static void warn_if_none(const struct set *s)
{
	for (uint32_t i = 0; i < s->boards.n; i++)
		if (s->boards.healthy[i])
			return;
	log_error("none of a set of hoverboards or gateways answers; packets go on to those that answered "
		  "last", "members", log_fmt("%u", s->boards.n));
}

/* Gives slots away and back as the hoverboards' health says. */
static void assign(struct hoverboards *h, struct set *s)
{
	uint64_t moved;
	bool worse = false;

	for (uint32_t i = 0; i < s->boards.n; i++) {
		bool healthy = is_healthy(h, &s->boards.addr[i]);

		worse |= s->boards.healthy[i] && !healthy;
		s->boards.healthy[i] = healthy;
	}
	moved = board_set_assign(&s->boards);
	for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++)
		if (moved >> slot & 1)
			write_slot(h, s, slot);
	if (worse)
		warn_if_none(s);
}

static void assign_all(struct hoverboards *h)
{
	for (unsigned int i = 0; i < h->n_sets; i++)
		assign(h, &h->sets[i]);
}

/* The underlay has looked at the way to @addr: the slots it serves leave by the same. */
static void on_underlay(const struct ip_addr *addr, void *arg)
{
	struct hoverboards *h = arg;

	if (!find_board(h, addr))
		return;
	for (unsigned int i = 0; i < h->n_sets; i++) {
		struct set *s = &h->sets[i];

		assign(h, s);
		for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++)
			if (ip_addr_equal(&s->boards.addr[s->boards.slot[slot]], addr))
				write_slot(h, s, slot);
	}
}

/* Health. */

static void log_health(const struct board *b)
{
	const char *what = b->health.may_be_silent ? "gateway" : "hoverboard";
	char addr[IP_ADDR_STRLEN];

	ip_addr_format(&b->addr, addr, sizeof(addr));
	if (b->health.up)
		log_info("it answers again", what, addr);
	else
		log_warn("it does not answer, its slots go to others", what, addr);
}

static void after(struct hoverboards *h, const struct board *b, bool was_up)
{
	if (b->health.up == was_up)
		return;
	log_health(b);
	assign_all(h);
}

static void read_answers(struct hoverboards *h, struct board *b)
{
	bool was_up = b->health.up;
	uint8_t bytes[64];
	ssize_t len;

	while ((len = probe_read(&b->probe, bytes, sizeof(bytes))) >= 0) {
		if (!health_is_answer(bytes, len, b->mine, sbfd_discriminator(&b->addr)))
			continue;
		b->answered++;
		health_answer(&b->health, clock_now_ns());
	}
	after(h, b, was_up);
}

static void ask(struct hoverboards *h, struct board *b, uint64_t now)
{
	bool was_up = b->health.up;
	struct bfd_header question;

	read_answers(h, b);
	if (health_tick(&b->health, now, arc4random())) {
		health_question(&question, b->mine, sbfd_discriminator(&b->addr));
		probe_send(&b->probe, &question, sizeof(question));
		b->asked++;
	}
	after(h, b, was_up);
}

static void arm(struct hoverboards *h)
{
	uint64_t due = UINT64_MAX, now = clock_now_ns(), wait;
	struct timeval tv;

	for (unsigned int i = 0; i < h->n_boards; i++)
		if (h->boards[i]->health.due_ns < due)
			due = h->boards[i]->health.due_ns;
	if (due == UINT64_MAX)
		return;
	wait = due > now ? due - now : 0;
	tv = (struct timeval){ .tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / 1000 };
	evtimer_add(h->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct hoverboards *h = arg;
	uint64_t now = clock_now_ns();

	(void)fd, (void)what;
	for (unsigned int i = 0; i < h->n_boards; i++)
		ask(h, h->boards[i], now);
	arm(h);
}

static void on_answer(void *arg)
{
	struct hoverboards *h = arg;

	for (unsigned int i = 0; i < h->n_boards; i++)
		read_answers(h, h->boards[i]);
	arm(h);
}

/* Configuration. */

static int by_addr(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

static struct board_set set_of(const struct ip_addr *list, uint32_t n)
{
	struct ip_addr addrs[BOARDS_MAX];
	struct board_set s;
	uint32_t k = 0;

	memcpy(addrs, list, n * sizeof(*addrs));
	qsort(addrs, n, sizeof(*addrs), by_addr);
	for (uint32_t i = 0; i < n; i++)
		if (!k || !ip_addr_equal(&addrs[k - 1], &addrs[i]))
			addrs[k++] = addrs[i];
	board_set_init(&s, addrs, k);
	return s;
}

static int add_board(struct hoverboards *h, const struct ip_addr *addr)
{
	struct board **more = reallocarray(h->boards, h->n_boards + 1, sizeof(*more));
	struct board *b = calloc(1, sizeof(*b));

	if (more)
		h->boards = more;
	if (!b || !more || !underlay_claim(h->underlay, addr)) {
		free(b);
		return -ENOMEM;
	}
	b->addr = *addr;
	b->mine = arc4random() | wire32(1);
	probe_init(&b->probe, h->base, addr, on_answer, h);
	health_init(&b->health, clock_now_ns());
	b->health.may_be_silent = true;	/* until a network says that it is its hoverboard */
	h->boards[h->n_boards++] = b;
	return 0;
}

/*
 * Slots in force were written by an earlier agent: a hoverboard that has none of them though its
 * way is known did not answer then. It has to answer before it gets one.
 */
static void inherit(struct hoverboards *h, const struct set *s)
{
	const struct nexthop *map = h->nexthops->map;

	for (uint32_t i = 0; i < s->boards.n; i++) {
		struct board *b = find_board(h, &s->boards.addr[i]);
		uint32_t host = underlay_host_id(h->underlay, &b->addr);
		unsigned int serves = 0, inherited = 0;

		for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++) {
			inherited += !ip_addr_is_zero(&map[s->id[slot]].remote);
			serves += ip_addr_equal(&map[s->id[slot]].remote, &b->addr);
		}
		if (inherited == BOARD_SLOTS && !serves && !b->asked && host &&
		    nexthops_body(h->nexthops, host)->kind != NEXTHOP_DOWN)
			b->health.up = false;
	}
}

static int enter_set(struct hoverboards *h, struct set *s, struct error *e)
{
	for (uint32_t i = 0; i < s->boards.n; i++)
		if (!find_board(h, &s->boards.addr[i]) && add_board(h, &s->boards.addr[i]))
			return error_set(e, -ENOSPC, "no next hop id or memory for a hoverboard");
	for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++) {
		s->id[slot] = nexthops_claim_slot(h->nexthops, s->digest, slot);
		if (!s->id[slot])
			return error_set(e, -ENOSPC, "no next hop ids are free for hoverboards");
	}
	inherit(h, s);
	assign(h, s);
	for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++)
		write_slot(h, s, slot);
	return 0;
}

static unsigned int n_staying(const struct hoverboards *h)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < h->n_sets; i++)
		n += !h->sets[i].leaving;
	return n;
}

/*
 * The row of the set of those addresses, entered if it is new; or -errno. SET_NONE: @max sets are in
 * use, and this is none of them.
 */
static int64_t row_of(struct hoverboards *h, const struct ip_addr *list, uint32_t n,
		      unsigned int max, struct error *e)
{
	struct set s = { .boards = set_of(list, n) }, *more;
	bool room = n_staying(h) < max;
	int err;

	s.digest = board_set_digest(&s.boards);
	for (unsigned int i = 0; i < h->n_sets; i++)
		if (h->sets[i].digest == s.digest && (room || !h->sets[i].leaving)) {
			h->sets[i].leaving = false;
			return i;
		}
	if (!room)
		return SET_NONE;
	more = reallocarray(h->sets, h->n_sets + 1, sizeof(*more));
	if (!more)
		return error_set(e, -ENOMEM, "no memory for hoverboards");
	h->sets = more;
	err = enter_set(h, &s, e);
	h->sets[h->n_sets] = s;
	h->n_sets++;
	return err ? err : (int64_t)h->n_sets - 1;
}

static int make_rows(struct hoverboards *h, struct error *e)
{
	free(h->rows);
	h->rows = calloc(h->n_sets + 1, sizeof(*h->rows));
	if (!h->rows)
		return error_set(e, -ENOMEM, "no memory for hoverboards");
	for (unsigned int i = 0; i < h->n_sets; i++)
		memcpy(h->rows[i], h->sets[i].id, sizeof(h->rows[i]));
	return 0;
}

static void take_local(struct hoverboards *h, const struct config *config)
{
	if (!memcmp(h->local, config->underlay, sizeof(h->local)))
		return;
	memcpy(h->local, config->underlay, sizeof(h->local));
	for (unsigned int i = 0; i < h->n_boards; i++)
		probe_close(&h->boards[i]->probe);
}

static int apply_hoverboards(struct hoverboards *h, const struct config *config, uint32_t *ret_sets,
			     struct error *e)
{
	for (unsigned int i = 0; i < config->n_networks; i++) {
		const struct config_network *n = &config->networks[i];
		int64_t row;

		ret_sets[i] = SET_NONE;
		if (config->role == ROLE_HOVERBOARD || !n->n_hoverboards)
			continue;
		row = row_of(h, n->hoverboards, n->n_hoverboards, UINT32_MAX, e);
		if (row < 0)
			return row;
		ret_sets[i] = row;
		for (unsigned int k = 0; k < n->n_hoverboards; k++)
			find_board(h, &n->hoverboards[k])->health.may_be_silent = false;
	}
	return 0;
}

/* Goes first. What other regions announce must not take the ids that this one needs. */
static int apply_gateways(struct hoverboards *h, const struct config *config, uint32_t *ret_sets,
			  struct error *e)
{
	unsigned int beyond = 0;

	for (unsigned int i = 0; i < config->n_remotes; i++) {
		const struct config_remote *r = &config->remotes[i];
		int64_t row;

		ret_sets[i] = SET_NONE;
		if (!r->n_gateways)
			continue;
		row = row_of(h, r->gateways, r->n_gateways, GATEWAY_SETS_MAX, e);
		if (row < 0)
			return row;
		ret_sets[i] = row;
		beyond += row == SET_NONE;
	}
	if (beyond)
		log_warn("too many different sets of gateways; of the last ones the first gateway has all traffic",
			 "remotes", log_fmt("%u", beyond));
	return 0;
}

int hoverboards_apply(struct hoverboards *h, const struct config *config, uint32_t *ret_networks,
		      uint32_t *ret_remotes, struct error *e)
{
	int err;

	take_local(h, config);
	for (unsigned int i = 0; i < h->n_sets; i++)
		h->sets[i].leaving = true;
	for (unsigned int i = 0; i < h->n_boards; i++)
		h->boards[i]->health.may_be_silent = true;
	err = apply_gateways(h, config, ret_remotes, e);
	err = err ?: apply_hoverboards(h, config, ret_networks, e);
	if (err)
		return err;
	for (unsigned int i = 0; i < h->n_boards; i++)
		probe_from(&h->boards[i]->probe, h->local);
	arm(h);
	return make_rows(h, e);
}

static bool is_used(const struct hoverboards *h, const struct ip_addr *addr)
{
	for (unsigned int i = 0; i < h->n_sets; i++)
		for (uint32_t k = 0; k < h->sets[i].boards.n; k++)
			if (ip_addr_equal(&h->sets[i].boards.addr[k], addr))
				return true;
	return false;
}

static void free_board(struct board *b)
{
	probe_close(&b->probe);
	free(b);
}

void hoverboards_forget(struct hoverboards *h)
{
	unsigned int i, n = 0;

	for (i = 0; i < h->n_sets; i++) {
		if (!h->sets[i].leaving) {
			h->sets[n++] = h->sets[i];
			continue;
		}
		for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++)
			if (h->sets[i].id[slot])
				nexthops_release(h->nexthops, h->sets[i].id[slot]);
	}
	h->n_sets = n;
	for (i = 0, n = 0; i < h->n_boards; i++) {
		if (is_used(h, &h->boards[i]->addr)) {
			h->boards[n++] = h->boards[i];
			continue;
		}
		underlay_unclaim(h->underlay, &h->boards[i]->addr);
		free_board(h->boards[i]);
	}
	h->n_boards = n;
}

const uint32_t (*hoverboards_slots(const struct hoverboards *h, uint32_t *ret_n))[BOARD_SLOTS]
{
	*ret_n = h->n_sets;
	return (const uint32_t (*)[BOARD_SLOTS])h->rows;
}

/* Life. */

int hoverboards_new(struct event_base *base, struct underlay *u, struct hoverboards **ret,
		    struct error *e)
{
	struct hoverboards *h = calloc(1, sizeof(*h));

	if (!h)
		return error_set(e, -ENOMEM, "no memory for hoverboards");
	h->base = base;
	h->underlay = u;
	h->nexthops = underlay_nexthops(u);
	h->timer = evtimer_new(base, on_timer, h);
	if (!h->timer) {
		hoverboards_free(h);
		return error_set(e, -ENOMEM, "no memory for a timer");
	}
	underlay_watch(u, on_underlay, h);
	*ret = h;
	return 0;
}

void hoverboards_free(struct hoverboards *h)
{
	if (!h)
		return;
	underlay_watch(h->underlay, NULL, NULL);
	for (unsigned int i = 0; i < h->n_boards; i++)
		free_board(h->boards[i]);
	if (h->timer)
		event_free(h->timer);
	free(h->boards);
	free(h->sets);
	free(h->rows);
	free(h);
}

/* Views. */

static void show(const struct hoverboards *h, const struct board *b, struct hoverboard_view *v)
{
	*v = (struct hoverboard_view){ .addr = b->addr, .up = b->health.up,
				       .gateway = b->health.may_be_silent,
				       .silent = health_silent(&b->health),
				       .reachable = underlay_reachable(h->underlay, &b->addr),
				       .since_ns = b->health.since_ns, .changes = b->health.changes,
				       .asked = b->asked, .answered = b->answered };
	for (unsigned int i = 0; i < h->n_sets; i++)
		for (uint32_t k = 0; k < h->sets[i].boards.n; k++) {
			if (!ip_addr_equal(&h->sets[i].boards.addr[k], &b->addr))
				continue;
			v->slots += board_set_count(&h->sets[i].boards, k);
			v->of_slots += BOARD_SLOTS;
		}
}

static int by_board(const void *a, const void *b)
{
	return by_addr(&(*(struct board *const *)a)->addr, &(*(struct board *const *)b)->addr);
}

void hoverboards_each(const struct hoverboards *h,
		      void (*fn)(const struct hoverboard_view *v, void *arg), void *arg)
{
	struct hoverboard_view v;

	qsort(h->boards, h->n_boards, h->n_boards ? sizeof(*h->boards) : 1, by_board);
	for (unsigned int i = 0; i < h->n_boards; i++) {
		show(h, h->boards[i], &v);
		fn(&v, arg);
	}
}

const struct ip_addr *hoverboards_of_nexthop(const struct hoverboards *h, uint32_t id)
{
	for (unsigned int i = 0; i < h->n_sets; i++)
		for (unsigned int slot = 0; slot < BOARD_SLOTS; slot++)
			if (h->sets[i].id[slot] == id)
				return &h->sets[i].boards.addr[h->sets[i].boards.slot[slot]];
	return NULL;
}
