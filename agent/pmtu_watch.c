// SPDX-License-Identifier: BSD-2-Clause
/*
 * pmtu_watch.c - hears what routers of the underlay say about sizes
 *
 * The kernel filters by type; what else is to be judged is in pmtu.c. A host without
 * IPv6 has one socket, and one report less to expect.
 */
#include "pmtu_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPORT_MAX 256			/* IP, ICMP and what is looked at of the quote */
#define READS_MAX 64			/* at a time; the rest waits for the next turn of the loop */

struct pmtu_watch {
	const struct pmtu_tunnel *tunnel;
	void (*fn)(const struct pmtu_report *report, void *arg);
	void *arg;
	struct event *events[2];	/* IPv4, IPv6 */
};

static void on_message(evutil_socket_t fd, struct pmtu_watch *w, bool v6)
{
	uint8_t bytes[REPORT_MAX];
	struct pmtu_report report;
	ssize_t len;

	for (int i = 0; i < READS_MAX; i++) {
		len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (len < 0)
			return;
		if (v6 ? pmtu_read_icmpv6(bytes, len, w->tunnel, &report) :
			 pmtu_read_icmp(bytes, len, w->tunnel, &report))
			w->fn(&report, w->arg);
	}
}

static void on_icmp(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	on_message(fd, arg, false);
}

static void on_icmpv6(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	on_message(fd, arg, true);
}

static int open_icmp(void)
{
	struct icmp_filter filter = { .data = ~(1u << ICMP_DEST_UNREACH) };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	if (fd >= 0)
		setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	return fd;
}

static int open_icmpv6(void)
{
	struct icmp6_filter filter;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
	return fd;
}

/* The event owns the descriptor. */
static int listen_on(struct event_base *base, int fd, event_callback_fn fn, struct pmtu_watch *w,
		     struct event **ret)
{
	struct event *event = event_new(base, fd, EV_READ | EV_PERSIST, fn, w);

	if (event && !event_add(event, NULL)) {
		*ret = event;
		return 0;
	}
	if (event)
		event_free(event);
	close(fd);
	return -ENOMEM;
}

int pmtu_watch_new(struct event_base *base, const struct pmtu_tunnel *tunnel,
		   void (*fn)(const struct pmtu_report *report, void *arg), void *arg,
		   struct pmtu_watch **ret, struct error *e)
{
	struct pmtu_watch *w = calloc(1, sizeof(*w));
	int fd, err = 0;

	if (!w)
		return error_set(e, -ENOMEM, "no memory to listen for path MTUs");
	w->tunnel = tunnel;
	w->fn = fn;
	w->arg = arg;
	fd = open_icmp();
	if (fd < 0)
		err = error_set(e, -errno, "raw socket for ICMP: %s", strerror(errno));
	else if (listen_on(base, fd, on_icmp, w, &w->events[0]))
		err = error_set(e, -ENOMEM, "no memory to listen for path MTUs");
	fd = err ? -1 : open_icmpv6();
	if (fd < 0 && !err && errno != EAFNOSUPPORT)
		err = error_set(e, -errno, "raw socket for ICMPv6: %s", strerror(errno));
	if (fd >= 0 && listen_on(base, fd, on_icmpv6, w, &w->events[1]))
		err = error_set(e, -ENOMEM, "no memory to listen for path MTUs");
	if (err) {
		pmtu_watch_free(w);
		return err;
	}
	*ret = w;
	return 0;
}

void pmtu_watch_free(struct pmtu_watch *w)
{
	if (!w)
		return;
	for (int i = 0; i < 2; i++) {
		if (!w->events[i])
			continue;
		close(event_get_fd(w->events[i]));
		event_free(w->events[i]);
	}
	free(w);
}
