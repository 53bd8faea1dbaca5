// SPDX-License-Identifier: BSD-2-Clause
/*
 * delay.c - what the first packet of a flow waits for
 *
 *	delay FROM_NETNS SRC TO_NETNS DST FLOWS
 *
 * Sends two UDP packets on each of so many flows, from one namespace to another,
 * and times each from send to receipt. The first is a miss that goes by way of
 * the agent, the second a hit. Prints p50 and p99 of the extra delay of the first
 * in microseconds, and how many packets never came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lib/clock.h>

#define PORT 2000
#define FIRST_SPORT 10000
#define WAIT_MS 1000

static void die(const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static struct sockaddr_in address(const char *text, unsigned int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		die(text);
	return a;
}

static int udp_socket(const char *text, unsigned int port)
{
	struct sockaddr_in a = address(text, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("socket");
	return fd;
}

/* Microseconds from send to receipt, negative if it never came. */
static double one_way(int from, int to, const struct sockaddr_in *dst)
{
	struct pollfd p = { .fd = to, .events = POLLIN };
	uint64_t begin = clock_now_ns();
	char byte = 0;

	if (sendto(from, &byte, 1, 0, (const struct sockaddr *)dst, sizeof(*dst)) != 1)
		die("send");
	if (poll(&p, 1, WAIT_MS) != 1 || recv(to, &byte, 1, 0) != 1)
		return -1;
	return (clock_now_ns() - begin) / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned int n = argc == 6 ? strtoul(argv[5], NULL, 0) : 0, n_extra = 0, lost = 0;
	struct sockaddr_in dst;
	double *extra;
	int to;

	if (!n) {
		fprintf(stderr, "usage: delay FROM_NETNS SRC TO_NETNS DST FLOWS\n");
		return 2;
	}
	extra = calloc(n, sizeof(*extra));
	dst = address(argv[4], PORT);
	enter(argv[3]);
	to = udp_socket(argv[4], PORT);
	enter(argv[1]);
	for (unsigned int i = 0; extra && i < n; i++) {
		int from = udp_socket(argv[2], FIRST_SPORT + i);
		double first = one_way(from, to, &dst), second = one_way(from, to, &dst);

		if (first < 0 || second < 0)
			lost++;
		else
			extra[n_extra++] = first - second;
		close(from);
	}
	qsort(extra, n_extra, sizeof(*extra), by_value);
	if (n_extra) {
		printf("delay/p50 %.1f\n", extra[n_extra / 2]);
		printf("delay/p99 %.1f\n", extra[n_extra * 99 / 100]);
	}
	printf("delay/lost %u\n", lost);
	return 0;
}
