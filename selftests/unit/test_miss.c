// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_miss.c - batches of misses through the real policy into a real flow table
 *
 * Frames of the small world (world.h) with a hub header in front, as the fast path
 * sends them; what comes back must be the same bytes with the right verdict, and
 * the flow must be in the table as the policy compiled it.
 */
#include <agent/miss.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <mirach/hub.h>
#include <selftests/frames.h>
#include <selftests/world.h>

#define BATCH 64
#define SLOT_BYTES 8192

static uint32_t secret[FLOW_SECRET_WORDS];

struct bench {
	struct world world;
	struct policy *policy;
	struct flow_table_memory memory;
	struct flow_table *table;
	struct miss_counts counts;
	uint8_t (*slots)[SLOT_BYTES];	/* BATCH frames, as in a UMEM */
	struct iovec frames[2 * BATCH + FRAG_HOLD_MAX];
	struct frag_hold *hold;
	unsigned int n, n_back;		/* frames put in, and how many came back */
};

static void bench_init(struct bench *b, uint32_t n_flows)
{
	memset(b, 0, sizeof(*b));
	b->memory = (struct flow_table_memory){
		.index = calloc(64, sizeof(struct flow_bucket)),
		.flows = calloc(n_flows, sizeof(struct flow)),
		.n_buckets = 64,
		.n_flows = n_flows,
		.secret = secret,
	};
	b->slots = calloc(BATCH, SLOT_BYTES);
	world_init(&b->world);
	b->policy = world_policy(&b->world);
	assert_int_equal(flow_table_new(&b->memory, 0, &b->table), 0);
	assert_int_equal(frag_hold_new(secret, FRAG_HOLD_MAX, &b->hold), 0);
}

static void bench_done(struct bench *b)
{
	frag_hold_free(b->hold);
	flow_table_free(b->table);
	policy_free(b->policy);
	free(b->memory.index);
	free(b->memory.flows);
	free(b->slots);
}

/* Another frame of the batch: a hub header for @scope and @outer, @inner behind it. */
static struct hub_header *put_raw(struct bench *b, uint32_t scope, const char *outer,
				  const void *inner, size_t len)
{
	struct hub_header *hub = (void *)b->slots[b->n];

	*hub = (struct hub_header){
		.eth.dmac = { 1 },
		.udp.dport = wire16(HUB_UDP_PORT),
		.version = HUB_VERSION,
		.why = HUB_MISS,
		.outer_tos = 0x2e,
		.port = 5,
		.scope = scope,
	};
	if (outer)
		hub->outer = packet_addr(outer);
	memcpy(hub + 1, inner, len);
	b->frames[b->n++] = (struct iovec){ hub, sizeof(*hub) + len };
	return hub;
}

static struct hub_header *put(struct bench *b, uint32_t scope, const char *outer,
			      struct packet_spec spec)
{
	uint8_t inner[PACKET_MAX];

	return put_raw(b, scope, outer, inner, packet_build(&spec, inner));
}

static void answer(struct bench *b)
{
	struct miss m = { b->table, b->policy, b->hold, 1, &b->counts };

	b->n_back = miss_answer(&m, b->frames, b->n);
	b->n = 0;
}

static struct packet_spec web_to(const char *dst, uint16_t port)
{
	return (struct packet_spec){ .src = "10.0.0.11", .dst = dst, .proto = PROTO_TCP,
				     .sport = port, .dport = 443, .payload = 10 };
}

#define FROM_WEB (SCOPE_VPORT | WORLD_SLOT(WEB_1))

/* @hub says: resume; and the flow it names does @verdict for that scope. */
static const struct flow *resumed(struct bench *b, const struct hub_header *hub, uint8_t verdict)
{
	const struct flow *flow = flow_table_get(b->table, hub->flow);

	assert_int_equal(hub->verdict, HUB_RESUME);
	assert_true(flow_table_is_published(b->table, hub->flow));
	assert_int_equal(hub->gen, flow->action.gen);
	assert_int_equal(flow->key.scope, hub->scope);
	assert_true(ip_addr_equal(&flow->key.outer, &hub->outer));
	assert_int_equal(flow->action.verdict, verdict);
	return flow;
}

static void dropped(const struct hub_header *hub, enum drop_reason reason)
{
	assert_int_equal(hub->verdict, HUB_DROP);
	assert_int_equal(hub->reason, reason);
}

static void one_miss_opens_a_flow(void **state)
{
	struct hub_header before, *hub;
	const struct flow *flow;
	struct bench b;
	uint8_t inner[PACKET_MAX];
	struct packet_spec spec = web_to("10.0.0.12", 1000);
	size_t len = packet_build(&spec, inner);

	(void)state;
	bench_init(&b, 100);
	hub = put(&b, FROM_WEB, NULL, spec);
	before = *hub;
	answer(&b);
	flow = resumed(&b, hub, ACTION_FORWARD);
	assert_int_equal(flow->action.nexthop, WORLD_REMOTE_NEXTHOP(RED_12));
	assert_int_equal(flow->key.tuple, FLOW_TUPLE_3);
	assert_int_equal(flow->key.sport | flow->key.dport, 0);
	assert_int_equal(b.counts.misses, 1);
	assert_int_equal(b.counts.installed, 1);
	assert_int_equal(b.counts.resumed, 1);

	before.verdict = hub->verdict;
	before.flow = hub->flow;
	before.gen = hub->gen;
	assert_memory_equal(hub, &before, sizeof(before));
	assert_memory_equal(hub + 1, inner, len);
	bench_done(&b);
}

static void repeats_resume_without_adding(void **state)
{
	struct hub_header *hub[10];
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	for (int i = 0; i < 10; i++)	/* ports differ: one 3-tuple flow */
		hub[i] = put(&b, FROM_WEB, NULL, web_to("10.0.0.12", 1000 + i));
	answer(&b);
	for (int i = 0; i < 10; i++) {
		resumed(&b, hub[i], ACTION_FORWARD);
		assert_int_equal(hub[i]->flow, hub[0]->flow);
	}
	hub[0] = put(&b, FROM_WEB, NULL, web_to("10.0.0.12", 77));
	answer(&b);
	resumed(&b, hub[0], ACTION_FORWARD);
	assert_int_equal(b.counts.installed, 1);
	assert_int_equal(flow_table_counts(b.table).added, 1);
	assert_int_equal(b.counts.resumed, 11);
	bench_done(&b);
}

/* A rule that asks for ports makes 5-tuple flows of what it could concern. */
static void ports_make_flows_of_their_own(void **state)
{
	struct hub_header *hub[4];
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	policy_free(b.policy);
	b.world.samples[0] = (struct config_sample){ .network = RED, .proto = PROTO_TCP,
						     .port = 443, .rate = 10 };
	b.world.config.n_samples = 1;
	b.policy = world_policy(&b.world);
	for (int i = 0; i < 4; i++)
		hub[i] = put(&b, FROM_WEB, NULL, web_to("10.0.0.12", 1000 + i / 2));
	answer(&b);
	for (int i = 0; i < 4; i++) {
		const struct flow *flow = resumed(&b, hub[i], ACTION_FORWARD);

		assert_int_equal(flow->key.tuple, FLOW_TUPLE_5);
		assert_int_equal(flow->key.sport, wire16(1000 + i / 2));
		assert_int_equal(flow->action.stages & STAGE_SAMPLE, STAGE_SAMPLE);
	}
	assert_int_equal(hub[0]->flow, hub[1]->flow);
	assert_int_not_equal(hub[0]->flow, hub[2]->flow);
	assert_int_equal(b.counts.installed, 2);
	bench_done(&b);
}

static struct hub_header *put_fragment(struct bench *b, struct packet_spec spec, uint8_t why)
{
	struct hub_header *hub = put(b, FROM_WEB, NULL, spec);

	hub->why = why;
	return hub;
}

/* Early fragments are kept out of the batch; the first brings them back, behind it and in order. */
static void early_fragments_wait_for_the_first(void **state)
{
	struct packet_spec spec = web_to("10.0.0.12", 1000);
	struct hub_header *second, *third, *first, *other;
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	policy_free(b.policy);
	b.world.samples[0] = (struct config_sample){ .network = RED, .proto = PROTO_UDP,
						     .port = 443, .rate = 10 };
	b.world.config.n_samples = 1;
	b.policy = world_policy(&b.world);
	spec.proto = PROTO_UDP;
	spec.payload = 40;
	spec.fragment = 11;
	third = put_fragment(&b, spec, HUB_FRAGMENT);
	spec.fragment = IPV4_MF | 6;
	second = put_fragment(&b, spec, HUB_FRAGMENT);
	other = put(&b, FROM_WEB, NULL, web_to("10.0.0.12", 1));
	answer(&b);
	assert_int_equal(b.n_back, 1);
	assert_ptr_equal(b.frames[0].iov_base, other);
	assert_int_equal(second->verdict | third->verdict, HUB_PENDING);

	b.n = 3;				/* leave the held frames where they are */
	spec.fragment = IPV4_MF;
	first = (void *)b.slots[b.n];
	put_fragment(&b, spec, HUB_FRAGMENT);
	b.frames[0] = b.frames[3];
	b.n = 1;
	answer(&b);
	assert_int_equal(b.n_back, 3);
	assert_ptr_equal(b.frames[0].iov_base, first);
	assert_ptr_equal(b.frames[1].iov_base, second);
	assert_ptr_equal(b.frames[2].iov_base, third);
	assert_int_equal(resumed(&b, first, ACTION_FORWARD)->key.sport, wire16(1000));
	assert_int_equal(second->flow, first->flow);
	assert_int_equal(third->flow, first->flow);
	resumed(&b, third, ACTION_FORWARD);
	assert_int_equal(b.counts.misses, 4);
	assert_int_equal(b.counts.resumed, 4);
	bench_done(&b);
}

/* A policy without ports judges any fragment at once. */
static void fragments_without_ports_do_not_wait(void **state)
{
	struct packet_spec spec = web_to("10.0.0.12", 1000);
	struct hub_header *hub;
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	spec.fragment = 11;
	hub = put_fragment(&b, spec, HUB_FRAGMENT);
	answer(&b);
	assert_int_equal(b.n_back, 1);
	assert_int_equal(resumed(&b, hub, ACTION_FORWARD)->key.tuple, FLOW_TUPLE_3);
	bench_done(&b);
}

static void fragments_that_waited_in_vain(void **state)
{
	struct packet_spec spec = web_to("10.0.0.12", 1000);
	struct hub_header *hub;
	struct iovec late[4];
	struct bench b;
	struct miss m;

	(void)state;
	bench_init(&b, 100);
	policy_free(b.policy);
	b.world.samples[0] = (struct config_sample){ .network = RED, .port = 443, .rate = 10 };
	b.world.config.n_samples = 1;
	b.policy = world_policy(&b.world);
	spec.fragment = 11;
	hub = put_fragment(&b, spec, HUB_FRAGMENT);
	answer(&b);
	assert_int_equal(b.n_back, 0);
	m = (struct miss){ b.table, b.policy, b.hold, FRAG_HOLD_NS, &b.counts };
	assert_int_equal(miss_expire(&m, late, 4), 0);
	m.now_ns++;				/* the batch came at 1 ns */
	assert_int_equal(miss_expire(&m, late, 4), 1);
	assert_ptr_equal(late[0].iov_base, hub);
	dropped(hub, REASON_FRAGMENT_TIMEOUT);
	bench_done(&b);
}

static void forbidden_packets_become_flows(void **state)
{
	struct packet_spec spoof = web_to("10.0.0.12", 1);
	struct hub_header *hub[3];
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	spoof.src = "10.0.0.99";
	hub[0] = put(&b, FROM_WEB, NULL, spoof);
	hub[1] = put(&b, FROM_WEB, NULL, web_to("172.16.0.1", 1));
	hub[2] = put(&b, FROM_WEB, NULL, spoof);
	answer(&b);
	assert_int_equal(resumed(&b, hub[0], ACTION_DROP)->action.reason, REASON_SPOOFED_SOURCE);
	assert_int_equal(resumed(&b, hub[1], ACTION_DROP)->action.reason, REASON_NO_ROUTE);
	assert_int_equal(hub[2]->flow, hub[0]->flow);
	assert_int_equal(b.counts.installed, 2);
	bench_done(&b);
}

static void the_fabric_is_a_scope_of_its_own(void **state)
{
	struct packet_spec spec = { .src = "10.0.0.12", .dst = "10.0.0.11", .proto = PROTO_UDP };
	struct hub_header *right, *wrong;
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	right = put(&b, SCOPE_FABRIC | 100, "192.0.2.2", spec);
	wrong = put(&b, SCOPE_FABRIC | 100, "192.0.2.3", spec);
	answer(&b);
	assert_int_equal(resumed(&b, right, ACTION_FORWARD)->action.nexthop,
			 WORLD_LOCAL_NEXTHOP(WEB_1));
	assert_int_equal(resumed(&b, wrong, ACTION_DROP)->action.reason, REASON_SPOOFED_OUTER);
	bench_done(&b);
}

static void what_the_parser_refuses_is_dropped(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	for (size_t i = 0; i < COUNT(frame_cases); i++) {
		const struct frame_case *c = &frame_cases[i];
		struct frame_layout layout;
		uint8_t inner[PACKET_MAX];
		size_t len = frame_build(c, inner, &layout);
		struct hub_header *hub = put_raw(&b, FROM_WEB, NULL, inner, len);

		answer(&b);
		if (c->reason)
			dropped(hub, c->reason);
		else if (hub->verdict != HUB_RESUME)
			fail_msg("%s: dropped with reason %u", c->name, hub->reason);
	}
	bench_done(&b);
}

static void arp_and_cut_frames_are_no_misses(void **state)
{
	struct eth_header arp = { .type = wire16(ETHERTYPE_ARP) };
	struct packet_spec spec = web_to("10.0.0.12", 1);
	uint8_t inner[PACKET_MAX];
	size_t len = packet_build(&spec, inner);
	struct hub_header *hub;
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	hub = put_raw(&b, FROM_WEB, NULL, &arp, sizeof(arp));
	answer(&b);
	dropped(hub, REASON_ETHERTYPE);
	hub = put_raw(&b, FROM_WEB, NULL, inner, len - 1);	/* all headers, a byte of payload missing */
	answer(&b);
	dropped(hub, REASON_IP_HEADER);
	hub = put_raw(&b, FROM_WEB, NULL, inner, 0);
	answer(&b);
	dropped(hub, REASON_SHORT_FRAME);
	assert_int_equal(b.counts.dropped, 3);
	assert_int_equal(flow_table_counts(b.table).published, 0);
	bench_done(&b);
}

static void strange_hub_headers_are_dropped(void **state)
{
	struct packet_spec spec = web_to("10.0.0.12", 1);
	struct hub_header *hub[4];
	struct bench b;

	(void)state;
	bench_init(&b, 100);
	for (int i = 0; i < 4; i++)
		hub[i] = put(&b, FROM_WEB, NULL, spec);
	hub[0]->udp.dport = wire16(53);
	hub[1]->version++;
	hub[2]->why = 99;
	hub[3]->verdict = HUB_RESUME;
	b.frames[b.n++] = (struct iovec){ b.slots[4], sizeof(struct hub_header) - 1 };
	answer(&b);
	for (int i = 0; i < 4; i++)
		dropped(hub[i], REASON_HUB_HEADER);
	assert_int_equal(b.frames[4].iov_len, 0);
	assert_int_equal(b.counts.dropped, 5);
	bench_done(&b);
}

/* Three usable indices, all in use or waiting: who may pass is told why not, who may not is told his own reason. */
static void full_table_names_the_drop(void **state)
{
	struct packet_spec spoof = web_to("10.0.0.12", 1);
	struct hub_header *hub[6];
	struct bench b;

	(void)state;
	bench_init(&b, 4);
	hub[0] = put(&b, FROM_WEB, NULL, web_to("10.0.0.12", 1));
	hub[1] = put(&b, FROM_WEB, NULL, web_to("10.0.0.13", 1));
	hub[2] = put(&b, FROM_WEB, NULL, web_to("10.9.1.1", 1));
	hub[3] = put(&b, FROM_WEB, NULL, web_to("10.9.5.1", 1));
	spoof.src = "10.0.0.98";
	hub[4] = put(&b, FROM_WEB, NULL, spoof);
	hub[5] = put(&b, FROM_WEB, NULL, web_to("10.9.1.1", 1));
	answer(&b);
	resumed(&b, hub[2], ACTION_FORWARD);
	dropped(hub[3], REASON_TABLE_FULL);
	dropped(hub[4], REASON_SPOOFED_SOURCE);
	resumed(&b, hub[5], ACTION_FORWARD);
	flow_table_grace_begin(b.table);
	flow_table_grace_end(b.table);
	hub[3] = put(&b, FROM_WEB, NULL, web_to("10.9.5.1", 1));
	answer(&b);
	resumed(&b, hub[3], ACTION_FORWARD);
	bench_done(&b);
}

/* Whatever the bytes, every frame is answered and nothing outside it is read (run under ASan). */
static void any_bytes_are_answered(void **state)
{
	unsigned int seed = time(NULL);
	struct bench b;

	(void)state;
	print_message("# seed %u\n", seed);
	srand(seed);
	bench_init(&b, 1000);
	for (int round = 0; round < 20000; round++) {
		const struct frame_case *c = &frame_cases[rand() % COUNT(frame_cases)];
		struct frame_layout layout;
		uint8_t inner[PACKET_MAX];
		size_t len = frame_build(c, inner, &layout), cut = rand() % (len + 1);
		struct hub_header *hub, *copy = malloc(sizeof(*hub) + cut);

		for (int i = rand() % 4; i; i--)
			inner[rand() % len] = rand();
		hub = put_raw(&b, FROM_WEB, NULL, inner, cut);
		memcpy(copy, hub, sizeof(*hub) + cut);
		b.frames[0].iov_base = copy;
		answer(&b);
		assert_true(copy->verdict == HUB_RESUME || (copy->verdict == HUB_DROP && copy->reason));
		free(copy);
	}
	assert_int_equal(b.counts.resumed + b.counts.dropped, b.counts.misses);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_miss_opens_a_flow),
		cmocka_unit_test(repeats_resume_without_adding),
		cmocka_unit_test(ports_make_flows_of_their_own),
		cmocka_unit_test(early_fragments_wait_for_the_first),
		cmocka_unit_test(fragments_without_ports_do_not_wait),
		cmocka_unit_test(fragments_that_waited_in_vain),
		cmocka_unit_test(forbidden_packets_become_flows),
		cmocka_unit_test(the_fabric_is_a_scope_of_its_own),
		cmocka_unit_test(what_the_parser_refuses_is_dropped),
		cmocka_unit_test(arp_and_cut_frames_are_no_misses),
		cmocka_unit_test(strange_hub_headers_are_dropped),
		cmocka_unit_test(full_table_names_the_drop),
		cmocka_unit_test(any_bytes_are_answered),
	};

	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		secret[i] = 0x9e3779b9u * (i + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
