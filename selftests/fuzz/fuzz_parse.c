// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_parse.c - the frame parser on any bytes
 *
 * The frame lies in a heap block of exactly its size, so a byte read too far or
 * too early ends the run. What the parser answers must hold together: offsets in
 * order and inside the frame, the fields of the key that are not its own left
 * alone, and no more of the frame used than its headers, which is shown by
 * parsing those headers alone.
 *
 * The rules are written as FUZZ_CHECK, not assert(), so that they hold in every build.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <mirach/parse.h>
#include <selftests/fuzz/fuzz.h>

struct answer {
	struct flow_key key;
	struct frame frame;
	int reason;
};

static struct answer parse(const uint8_t *data, size_t size)
{
	uint8_t *frame = exact_copy(data, size);
	struct answer a = {};

	a.reason = parse_frame(frame, frame + size, &a.key, &a.frame);
	free(frame);
	return a;
}

static int is_parser_reason(int reason)
{
	switch (reason) {
	case REASON_NONE:
	case REASON_SHORT_FRAME:
	case REASON_VLAN_DEPTH:
	case REASON_ETHERTYPE:
	case REASON_IP_HEADER:
	case REASON_IPV6_EXTENSIONS:
	case REASON_L4_HEADER:
	case REASON_IP_SOURCE:
	case REASON_FRAGMENT_TINY:
	case REASON_FRAGMENT_FORM:
		return 1;
	}
	return 0;
}

/* Whatever the answer is: nothing written but what is the parser's to write. */
static void check_untouched(const struct answer *a)
{
	FUZZ_CHECK(is_parser_reason(a->reason));
	FUZZ_CHECK(a->key.scope == 0 && a->key.tuple == 0 && a->key.pad == 0);
	FUZZ_CHECK(!(a->key.outer.w[0] | a->key.outer.w[1] | a->key.outer.w[2] | a->key.outer.w[3]));
}

static void check_tags(const struct answer *a)
{
	FUZZ_CHECK(a->frame.n_tags <= 2);
	for (unsigned int i = 0; i < 2; i++) {
		if (i < a->frame.n_tags)
			FUZZ_CHECK((a->key.vlan[i] & ~VLAN_VID_MASK) == FLOW_VLAN_PRESENT);
		else
			FUZZ_CHECK(a->key.vlan[i] == 0);
	}
}

/* Bytes the header of the transport must have; 0: the parser looks at none. */
static unsigned int l4_min(const struct answer *a)
{
	if (a->frame.fragment == FRAGMENT_LATER)
		return 0;
	switch (a->key.proto) {
	case PROTO_TCP:
		return sizeof(struct tcp_header);
	case PROTO_UDP:
		return sizeof(struct udp_header);
	case PROTO_SCTP:
		return sizeof(struct sctp_header);
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return sizeof(struct icmp_header);
	}
	return 0;
}

static void check_ip(const struct answer *a, size_t size)
{
	const struct frame *f = &a->frame;
	unsigned int min = f->kind == FRAME_IPV4 ? sizeof(struct ipv4_header) :
						   sizeof(struct ipv6_header);

	FUZZ_CHECK(f->kind == FRAME_IPV4 || f->kind == FRAME_IPV6);
	FUZZ_CHECK(f->l3 + min <= size);
	FUZZ_CHECK(f->l4 >= f->l3 + min && f->l4 <= f->end);
	FUZZ_CHECK(f->end <= f->l3 + 65535u + sizeof(struct ipv6_header));
	FUZZ_CHECK(f->fragment <= FRAGMENT_LATER);
	FUZZ_CHECK(f->kind != FRAME_IPV4 ||
		   (ip_addr_is_v4(&a->key.src) && ip_addr_is_v4(&a->key.dst)));
	if (l4_min(a))
		FUZZ_CHECK(f->l4 + l4_min(a) <= size && f->l4 + l4_min(a) <= f->end);
	else
		FUZZ_CHECK(a->key.sport == 0 && a->key.dport == 0);
}

/* A fragment that was accepted has a place, and one that leaves the transport header alone. */
static void check_fragment(const struct answer *a, const uint8_t *data, size_t size)
{
	const struct frame *f = &a->frame;
	uint8_t *frame = exact_copy(data, size);
	struct fragment at = {};

	FUZZ_CHECK(!frame_fragment(frame, frame + size, f, &at));
	FUZZ_CHECK((f->fragment == FRAGMENT_FIRST) == !at.begin);
	FUZZ_CHECK(f->fragment_at >= f->l3 && f->fragment_at < f->l4);
	FUZZ_CHECK(at.begin < at.end && at.end <= 8192);
	FUZZ_CHECK(at.is_last || at.len == 8u * (at.end - at.begin));
	FUZZ_CHECK(!at.begin || a->key.proto != PROTO_TCP || at.begin * 8u >= sizeof(struct tcp_header));
	free(frame);
}

/* The same answer from the headers alone: nothing behind them was looked at. */
static void check_headers_suffice(const struct answer *a, const uint8_t *data, size_t size)
{
	size_t used = a->frame.l4 + l4_min(a);
	struct answer again;

	if (a->frame.kind == FRAME_ARP)
		used = a->frame.l3;
	again = parse(data, used < size ? used : size);
	FUZZ_CHECK(!memcmp(a, &again, sizeof(again)));
}

static void check_parsed(const struct answer *a, const uint8_t *data, size_t size)
{
	check_tags(a);
	FUZZ_CHECK(a->frame.l3 == sizeof(struct eth_header) +
				  a->frame.n_tags * sizeof(struct vlan_header));
	if (a->frame.kind == FRAME_ARP)
		FUZZ_CHECK(a->key.proto == 0 && a->frame.l3 <= size);
	else
		check_ip(a, size);
	if (a->frame.fragment)
		check_fragment(a, data, size);
	check_headers_suffice(a, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer a = parse(data, size), again = parse(data, size);

	FUZZ_CHECK(!memcmp(&a, &again, sizeof(a)));
	check_untouched(&a);
	if (!a.reason)
		check_parsed(&a, data, size);
	return 0;
}
