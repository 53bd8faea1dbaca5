// SPDX-License-Identifier: BSD-2-Clause
/*
 * miss_cost.c - what a flow miss costs in user space
 *
 * A million distinct flows in random order through miss_answer(), the way the
 * flow thread calls it: batches of 64 frames that lie in a UMEM-sized piece of
 * memory, the real policy, a table sized for a million. Only miss_answer() is
 * timed, in CPU time. Prints nanoseconds per miss: opening flows, finding them again, and
 * opening them while every one evicts another.
 *
 *	miss_cost [flows]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <agent/miss.h>
#include <mirach/hub.h>
#include <selftests/world.h>

#define BATCH 64u
#define UMEM_FRAMES 8192u
#define UMEM_FRAME 4096u
#define GRACE_EVERY 4096u		/* evictions between two grace periods */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

/* Frame number @i: 65536 destinations behind another host, times as many protocols as it takes. */
static void frame(uint8_t *at, uint32_t i, struct iovec *ret)
{
	struct hub_header *hub = (void *)at;
	struct eth_header *eth = (void *)(hub + 1);
	struct ipv4_header ip = {
		.version_ihl = 0x45,
		.total_len = wire16(60),
		.ttl = 64,
		.proto = 100 + (i >> 16),
		.src = packet_addr("10.0.0.11").w[3],
		.dst = packet_addr("10.9.0.0").w[3] | wire32(i & 0xffff),
	};

	*hub = (struct hub_header){ .eth.dmac = { 1 }, .udp.dport = wire16(HUB_UDP_PORT),
				    .version = HUB_VERSION, .why = HUB_MISS,
				    .scope = SCOPE_VPORT | WORLD_SLOT(WEB_1) };
	*eth = (struct eth_header){ .type = wire16(ETHERTYPE_IPV4) };
	memcpy(eth + 1, &ip, sizeof(ip));
	*ret = (struct iovec){ at, sizeof(*hub) + sizeof(*eth) + 60 };
}

static uint32_t *shuffled(uint32_t n)
{
	uint32_t *order = malloc(n * sizeof(*order));

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n - 1; i; i--) {
		uint32_t j = ((uint64_t)rand() << 16 ^ rand()) % (i + 1), x = order[i];

		order[i] = order[j];
		order[j] = x;
	}
	return order;
}

/* Sends the flows @order[0..n-1] through and prints what one took. */
static void measure(const char *what, struct flow_table *t, const struct policy *p, uint8_t *umem,
		    const uint32_t *order, uint32_t n)
{
	struct iovec frames[2 * BATCH + FRAG_HOLD_MAX];
	struct miss_counts counts = {};
	struct miss m = { .table = t, .policy = p, .counts = &counts };	/* no fragments, no hold */
	uint64_t spent = 0, start;

	for (uint32_t i = 0; i + BATCH <= n; i += BATCH) {
		for (uint32_t j = 0; j < BATCH; j++)
			frame(umem + (size_t)((i + j) % UMEM_FRAMES) * UMEM_FRAME, order[i + j],
			      &frames[j]);
		start = cpu_ns();
		m.now_ns = start;
		miss_answer(&m, frames, BATCH);
		spent += cpu_ns() - start;
		if (flow_table_counts(t).retired >= GRACE_EVERY) {
			flow_table_grace_begin(t);
			flow_table_grace_end(t);
		}
	}
	printf("%-28s %6.0f ns per miss (%llu frames, %llu flows opened, %llu dropped)\n", what,
	       (double)spent / counts.misses, (unsigned long long)counts.misses,
	       (unsigned long long)counts.installed, (unsigned long long)counts.dropped);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	uint32_t entries = n + n / 7 + 2, buckets = 1, secret[FLOW_SECRET_WORDS];
	uint8_t *umem = aligned_alloc(4096, (size_t)UMEM_FRAMES * UMEM_FRAME);
	struct flow_table_memory m;
	struct flow_table *t;
	struct policy *p;
	struct world w;
	uint32_t *order = shuffled(2 * n);

	while (buckets < entries / 4)
		buckets *= 2;
	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		secret[i] = (uint32_t)rand() << 8 ^ rand();
	m = (struct flow_table_memory){
		.index = aligned_alloc(64, buckets * sizeof(struct flow_bucket)),
		.flows = aligned_alloc(64, entries * sizeof(struct flow)),
		.n_buckets = buckets,
		.n_flows = entries,
		.secret = secret,
	};
	memset(m.index, 0, buckets * sizeof(struct flow_bucket));
	memset(m.flows, 0, entries * sizeof(struct flow));	/* as the kernel's memory: there already */
	memset(umem, 0, (size_t)UMEM_FRAMES * UMEM_FRAME);
	world_init(&w);
	p = world_policy(&w);
	if (flow_table_new(&m, 0, &t))
		return 1;
	measure("new flow", t, p, umem, order, n);
	measure("flow found", t, p, umem, order, n);
	measure("new flow, evicting one", t, p, umem, order + n, n);
	flow_table_free(t);
	policy_free(p);
	free(order);
	free(umem);
	free(m.index);
	free(m.flows);
	return 0;
}
