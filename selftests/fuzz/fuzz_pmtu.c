// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_pmtu.c - what routers say of sizes, as any bytes
 *
 * The message lies in a heap block of exactly its size. Whatever is believed names a size
 * that an MTU can have. The first byte chooses tunnel and family.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <agent/pmtu.h>
#include <lib/addr.h>
#include <selftests/fuzz/fuzz.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pmtu_tunnel t = { .tunnel = TUNNEL_VXLAN, .udp_port = 4789 };
	struct pmtu_report r;
	uint8_t *bytes;
	bool v6, believed;

	if (!size)
		return 0;
	t.tunnel = 1 + data[0] % 3;
	v6 = data[0] & 0x80;
	ip_addr_parse("192.0.2.1", &t.local[0]);
	ip_addr_parse("2001:db8::1", &t.local[1]);
	bytes = exact_copy(data + 1, size - 1);
	believed = v6 ? pmtu_read_icmpv6(bytes, size - 1, &t, &r) :
			pmtu_read_icmp(bytes, size - 1, &t, &r);
	if (believed)
		FUZZ_CHECK(r.mtu >= (v6 ? PMTU_MIN_IPV6 : PMTU_MIN_IPV4));
	free(bytes);
	return 0;
}
