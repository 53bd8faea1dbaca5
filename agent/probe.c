// SPDX-License-Identifier: BSD-2-Clause
/*
 * probe.c - the socket that a hoverboard is asked by; the rules are in probe.h
 */
#include <agent/probe.h>

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lib/addr.h>
#include <mirach/wire.h>

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void probe_init(struct probe *p, struct event_base *base, const struct ip_addr *remote,
		void (*fn)(void *arg), void *arg)
{
	*p = (struct probe){ .base = base, .remote = *remote, .fn = fn, .arg = arg };
}

void probe_from(struct probe *p, const struct ip_addr local[2])
{
	p->local = local[!ip_addr_is_v4(&p->remote)];
}

void probe_close(struct probe *p)
{
	if (!p->event)
		return;
	close(event_get_fd(p->event));
	event_free(p->event);
	p->event = NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd, (void)what;
	p->fn(p->arg);
}

static socklen_t address(const struct ip_addr *addr, uint16_t port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (ip_addr_is_v4(addr)) {
		ret->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
						.sin_addr.s_addr = addr->w[3] };
		return sizeof(ret->v4);
	}
	ret->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	memcpy(&ret->v6.sin6_addr, addr, sizeof(*addr));
	return sizeof(ret->v6);
}

static void set_options(int fd, bool v4)
{
	const int ttl = 255, on = 1, urgent = 0xc0;	/* CS6: RFC 5880 leaves it open, RFC 4594 section 3.2 */

	if (v4) {
		setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		setsockopt(fd, IPPROTO_IP, IP_TOS, &urgent, sizeof(urgent));
		setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on));
		return;
	}
	setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
	setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &urgent, sizeof(urgent));
	setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on));
	setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on, sizeof(on));
}

static int open_socket(const struct probe *p)
{
	bool v4 = ip_addr_is_v4(&p->remote);
	union address local, remote;
	socklen_t len = address(&p->local, 0, &local);
	int fd;

	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	set_options(fd, v4);
	address(&p->remote, SBFD_PORT, &remote);
	if (bind(fd, &local.sa, len) || connect(fd, &remote.sa, len)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static bool ready(struct probe *p)
{
	int fd;

	if (p->event)
		return true;
	if (ip_addr_is_zero(&p->local))
		return false;
	fd = open_socket(p);
	if (fd < 0)
		return false;
	p->event = event_new(p->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	if (!p->event) {
		close(fd);
		return false;
	}
	event_add(p->event, NULL);
	return true;
}

void probe_send(struct probe *p, const void *bytes, size_t len)
{
	if (ready(p) && send(event_get_fd(p->event), bytes, len, 0) < 0 &&
	    errno != ECONNREFUSED && errno != EAGAIN)
		probe_close(p);
}

ssize_t probe_read(struct probe *p, void *buf, size_t len)
{
	ssize_t n = -1;

	for (int i = 0; p->event && i < 8; i++) {
		n = recv(event_get_fd(p->event), buf, len, 0);
		if (n >= 0 || errno == EAGAIN)
			break;
	}
	return n;
}
