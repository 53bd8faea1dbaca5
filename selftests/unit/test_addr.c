// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_addr.c - addresses, prefixes and MACs: what is taken, what is refused
 *
 * Tables of text against meaning. What is refused must leave its output alone;
 * what is taken must print as the one spelling it has. Prefixes are also held
 * against a stupid twin that compares bit by bit.
 */
#include <lib/addr.h>

#include <arpa/inet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <selftests/unit/expect.h>

struct spelling {
	const char *text, *printed;
};

static void test_addresses(void **state)
{
	static const struct spelling taken[] = {
		{"10.0.0.1", "10.0.0.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:db8::1", "2001:db8::1"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"::", "::"},
		{"::1", "::1"},
		{"64:ff9b::10.0.0.1", "64:ff9b::a00:1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	static const char *const refused[] = {
		"", " ", "10.0.0", "10.0.0.256", "10.0.0.1.2", "10.0.0.01", " 10.0.0.1",
		"10.0.0.1 ", "10.0.0.1/32", "0x0a.0.0.1", "localhost", ":", ":::", "1::2::3",
		"fe80::1%eth0", "g::1", "12345::", "1:2:3:4:5:6:7:8:9", "[::1]", "-1.0.0.1",
		"1e1.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		char buf[IP_ADDR_STRLEN];
		struct ip_addr a;

		expect_int(taken[i].text, ip_addr_parse(taken[i].text, &a), 0);
		expect_text(taken[i].text, ip_addr_format(&a, buf, sizeof(buf)), taken[i].printed);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct ip_addr before, a;

		memset(&a, 0x5a, sizeof(a));
		before = a;
		expect_int(refused[i], ip_addr_parse(refused[i], &a), -EINVAL);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void test_prefixes(void **state)
{
	static const struct spelling taken[] = {
		{"10.0.0.0/24", "10.0.0.0/24"},
		{"10.0.0.7", "10.0.0.7/32"},
		{"10.0.0.7/32", "10.0.0.7/32"},
		{"10.0.0.6/31", "10.0.0.6/31"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"128.0.0.0/1", "128.0.0.0/1"},
		{"::/0", "::/0"},
		{"::1", "::1/128"},
		{"fd00:1::/64", "fd00:1::/64"},
		{"fd00:1::/127", "fd00:1::/127"},
		{"8000::/1", "8000::/1"},
	};
	static const char *const refused[] = {
		"", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
		"10.0.0.0/024", "10.0.0.0/ 24", "10.0.0.0/24 ", "10.0.0.0/24/8",
		"10.0.0.0/255.255.255.0", "10.0.0.0/4294967304", "10.0.0.1/24", "10.0.0.1/31",
		"128.0.0.0/0", "fd00:1::/129", "fd00:1::1/64", "fd00::1/0",
		"::ffff:10.0.0.0/120", "::ffff:0:0/96", "10.0.0.0/a",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/64",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		char buf[IP_ADDR_STRLEN + 4];
		struct ip_prefix p;

		expect_int(taken[i].text, ip_prefix_parse(taken[i].text, &p), 0);
		expect_text(taken[i].text, ip_prefix_format(&p, buf, sizeof(buf)),
			    taken[i].printed);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct ip_prefix before, p;

		memset(&p, 0x5a, sizeof(p));
		before = p;
		expect_int(refused[i], ip_prefix_parse(refused[i], &p), -EINVAL);
		assert_memory_equal(&p, &before, sizeof(p));
	}
}

static void test_lengths_count_mapped_bits(void **state)
{
	struct ip_prefix p;

	(void)state;
	assert_int_equal(ip_prefix_parse("10.0.0.0/8", &p), 0);
	assert_int_equal(p.len, 104);
	assert_int_equal(ip_prefix_parse("0.0.0.0/0", &p), 0);
	assert_int_equal(p.len, 96);
	assert_int_equal(ip_prefix_parse("fd00::/8", &p), 0);
	assert_int_equal(p.len, 8);
}

static void test_macs(void **state)
{
	static const struct spelling taken[] = {
		{"02:00:5e:00:00:01", "02:00:5e:00:00:01"},
		{"02-00-5E-00-00-01", "02:00:5e:00:00:01"},
		{"FF:ff:Ff:fF:00:99", "ff:ff:ff:ff:00:99"},
	};
	static const char *const refused[] = {
		"", "02:00:5e:00:00", "02:00:5e:00:00:01:02", "02:00:5e:00:00:0g",
		"2:0:5e:0:0:1", "02005e000001", "0200.5e00.0001", "02:00:5e:00:00:1 ",
		" 2:00:5e:00:00:01", "02:00-5e:00:00:01", "02:00:5e:00:00:01 ",
		"02::5e:00:00:001", "+2:00:5e:00:00:01", "0x:00:5e:00:00:01",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		uint8_t mac[ETH_ADDR_LEN];
		char buf[MAC_STRLEN];

		expect_int(taken[i].text, mac_parse(taken[i].text, mac), 0);
		expect_text(taken[i].text, mac_format(mac, buf, sizeof(buf)), taken[i].printed);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		uint8_t before[ETH_ADDR_LEN], mac[ETH_ADDR_LEN];

		memset(mac, 0x5a, sizeof(mac));
		memcpy(before, mac, sizeof(mac));
		expect_int(refused[i], mac_parse(refused[i], mac), -EINVAL);
		assert_memory_equal(mac, before, sizeof(mac));
	}
}

static void test_kinds_of_addresses(void **state)
{
	static const struct {
		const char *text;
		bool zero, multicast, loopback, unspecified;
	} cases[] = {
		{.text = "::", .zero = true, .unspecified = true},
		{.text = "0.0.0.0", .unspecified = true},
		{.text = "0.255.255.255", .unspecified = true},
		{.text = "1.0.0.0"},
		{.text = "126.255.255.255"},
		{.text = "127.0.0.1", .loopback = true},
		{.text = "127.255.255.255", .loopback = true},
		{.text = "128.0.0.0"},
		{.text = "::1", .loopback = true},
		{.text = "::2"},
		{.text = "::1:0:1"},
		{.text = "1::1"},
		{.text = "223.255.255.255"},
		{.text = "224.0.0.0", .multicast = true},
		{.text = "239.255.255.255", .multicast = true},
		{.text = "240.0.0.0"},
		{.text = "255.255.255.254"},
		{.text = "255.255.255.255", .multicast = true},
		{.text = "feff::1"},
		{.text = "ff00::", .multicast = true},
		{.text = "ff02::1", .multicast = true},
		{.text = "::fffe:0:1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text;
		struct ip_addr a;

		expect_int(text, ip_addr_parse(text, &a), 0);
		expect_int(text, ip_addr_is_zero(&a), cases[i].zero);
		expect_int(text, ip_addr_is_multicast(&a), cases[i].multicast);
		expect_int(text, ip_addr_is_loopback(&a), cases[i].loopback);
		expect_int(text, ip_addr_is_unspecified(&a), cases[i].unspecified);
	}
}

static void test_covers(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool covers;
	} cases[] = {
		{"10.0.0.0/24", "10.0.0.0", true},
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0", false},
		{"10.0.0.0/24", "9.255.255.255", false},
		{"10.0.0.7", "10.0.0.7", true},
		{"10.0.0.7", "10.0.0.6", false},
		{"10.0.0.6/31", "10.0.0.7", true},
		{"10.0.0.6/31", "10.0.0.8", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "fd00::1", true},
		{"::/0", "10.0.0.1", false},	/* the default route of IPv6 alone */
		{"::/8", "10.0.0.1", false},
		{"fd00:1::/64", "fd00:1::ffff:ffff:ffff:ffff", true},
		{"fd00:1::/64", "fd00:1:0:1::", false},
		{"fd00:1::/65", "fd00:1::8000:0:0:0", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ip_prefix p;
		struct ip_addr a;
		char of[100];

		snprintf(of, sizeof(of), "%s covers %s", cases[i].prefix, cases[i].addr);
		expect_int(of, ip_prefix_parse(cases[i].prefix, &p), 0);
		expect_int(of, ip_addr_parse(cases[i].addr, &a), 0);
		expect_int(of, ip_prefix_covers(&p, &a), cases[i].covers);
	}
}

static bool bit_of(const struct ip_addr *a, unsigned int i)
{
	return ((const uint8_t *)a)[i / 8] >> (7 - i % 8) & 1;
}

/* The twin: bit after bit; short prefixes are IPv6 only. */
static bool twin_covers(const struct ip_prefix *p, const struct ip_addr *a)
{
	if (p->len < 96 && ip_addr_is_v4(a))
		return false;
	for (unsigned int i = 0; i < p->len; i++) {
		if (bit_of(&p->addr, i) != bit_of(a, i))
			return false;
	}
	return true;
}

static struct ip_addr random_addr(void)
{
	struct ip_addr a;

	for (int i = 0; i < 4; i++)
		a.w[i] = (uint32_t)random() << 16 ^ random();
	if (random() % 2)
		ip_addr_set_v4(&a, a.w[3]);
	return a;
}

/* Every address is in its prefix of every length, and leaves it when one of its bits flips. */
static void test_covers_like_its_twin(void **state)
{
	const char *given = getenv("SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : (unsigned int)time(NULL);

	(void)state;
	print_message("# SEED=%u\n", seed);
	srandom(seed);
	for (int round = 0; round < 20000; round++) {
		struct ip_addr a = random_addr(), other = a;
		struct ip_prefix p = {.addr = a, .len = random() % 129};
		unsigned int flip = random() % 128;

		for (unsigned int i = p.len; i < 128; i++)
			((uint8_t *)&p.addr)[i / 8] &= ~(0x80 >> i % 8);
		((uint8_t *)&other)[flip / 8] ^= 0x80 >> flip % 8;
		assert_int_equal(ip_prefix_covers(&p, &a), twin_covers(&p, &a));
		assert_int_equal(ip_prefix_covers(&p, &other), twin_covers(&p, &other));
	}
}

/* What is printed can be read again and is the same. */
static void test_round_trip(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct ip_addr a = random_addr(), again;
		char buf[IP_ADDR_STRLEN];

		ip_addr_format(&a, buf, sizeof(buf));
		expect_int(buf, ip_addr_parse(buf, &again), 0);
		assert_true(ip_addr_equal(&a, &again));
	}
}

/* Every byte of an IPv4 address in every place, as libc prints it. */
static void test_prints_like_libc(void **state)
{
	char text[IP_ADDR_STRLEN], libc[INET_ADDRSTRLEN];

	(void)state;
	for (unsigned int i = 0; i < 4 * 256; i++) {
		uint8_t b[4] = { 10, 200, 0, 99 };
		struct ip_addr a;

		b[i / 256] = i % 256;
		inet_ntop(AF_INET, b, libc, sizeof(libc));
		assert_int_equal(ip_addr_parse(libc, &a), 0);
		assert_string_equal(ip_addr_format(&a, text, sizeof(text)), libc);
	}
}

static void test_small_buffers(void **state)
{
	struct ip_addr a;
	char buf[5];

	(void)state;
	assert_int_equal(ip_addr_parse("192.0.2.1", &a), 0);
	expect_text("cut", ip_addr_format(&a, buf, sizeof(buf)), "192.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_lengths_count_mapped_bits),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_kinds_of_addresses),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_covers_like_its_twin),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_prints_like_libc),
		cmocka_unit_test(test_small_buffers),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
