// SPDX-License-Identifier: BSD-2-Clause
/*
 * talk.c - how fast two guests answer each other
 *
 *	talk rr   FROM_NETNS TO_NETNS ADDRESS N SECONDS    a byte there and back, N connections
 *	talk crr  FROM_NETNS TO_NETNS ADDRESS N SECONDS    the same with a new connection each time
 *	talk udp  FROM_NETNS TO_NETNS ADDRESS N SECONDS    round trips of N bytes, one at a time
 *
 * What netperf calls TCP_RR, TCP_CRR and UDP_RR. Client, server and the path between
 * them share CPU 0, so that a figure says what the path costs and not how long
 * the other CPU takes to wake up. Prints transactions per second; for udp the
 * percentiles 50, 99 and 99.9 of the round trip in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lib/clock.h>

#define PORT 5301
#define BACKLOG 1024
#define EVENTS 64
#define TRIPS_MAX 4000000u
#define DATAGRAM_MAX 1400
#define WAIT_MS 1000

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
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

/* Ahead of whatever else the machine does: the path is to be measured, not the scheduler. */
static void pin(void)
{
	const struct sched_param ahead = { .sched_priority = 1 };
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		die("pin to CPU 0");
	if (sched_setscheduler(0, SCHED_FIFO, &ahead))
		die("real-time priority");
}

static int open_socket(int type)
{
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("socket");
	if ((type & SOCK_STREAM) && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("socket");
	return fd;
}

static void watch(int epoll, int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, op, fd, &e))
		die("epoll");
}

/* The server: everything comes back. */

static int serve_on(int epoll, int type)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = open_socket(type);

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG)))
		die("serve");
	watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
	return fd;
}

static void echo_datagram(int fd)
{
	char bytes[DATAGRAM_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len);

	if (n >= 0)
		sendto(fd, bytes, n, 0, (struct sockaddr *)&from, len);
}

static void echo_bytes(int fd)
{
	char bytes[64];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n <= 0 || send(fd, bytes, n, MSG_NOSIGNAL) != n)
		close(fd);
}

static void __attribute__((noreturn)) serve(const char *netns, int ready)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0), listener, udp;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(netns);
	listener = serve_on(epoll, SOCK_STREAM);
	udp = serve_on(epoll, SOCK_DGRAM);
	close(ready);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd, taken;

			if (fd == udp) {
				echo_datagram(fd);
			} else if (fd != listener) {
				echo_bytes(fd);
			} else {
				taken = accept(fd, NULL, NULL);
				if (taken >= 0)
					watch(epoll, EPOLL_CTL_ADD, taken, EPOLLIN);
			}
		}
	}
}

static pid_t start_server(const char *netns)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(ready[0]);
		serve(netns, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1))
		die("server");
	close(ready[0]);
	return pid;
}

/* TCP. */

static void dial(int epoll, const struct sockaddr_in *to)
{
	int fd = open_socket(SOCK_STREAM | SOCK_NONBLOCK);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
		die("connect");
	watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT);
}

static void ask(int fd)
{
	if (send(fd, "?", 1, MSG_NOSIGNAL) != 1)
		die("send");
}

/* True if an answer came. */
static bool serve_event(int epoll, const struct epoll_event *e, const struct sockaddr_in *to,
			bool anew)
{
	int fd = e->data.fd;
	char c;

	if (e->events & EPOLLOUT) {		/* connected */
		ask(fd);
		watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
		return false;
	}
	if (recv(fd, &c, 1, 0) != 1)
		die("receive");
	if (anew) {
		close(fd);
		dial(epoll, to);
	} else {
		ask(fd);
	}
	return true;
}

static void talk_tcp(const struct sockaddr_in *to, unsigned int n, double seconds, bool anew)
{
	uint64_t begin = clock_now_ns(), end = begin + (uint64_t)(seconds * 1e9), now = begin;
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0);
	unsigned int answers = 0;

	for (unsigned int i = 0; i < n; i++)
		dial(epoll, to);
	while (now < end) {
		int ready = epoll_wait(epoll, events, EVENTS, WAIT_MS);

		if (ready <= 0)
			die("nothing heard");
		for (int i = 0; i < ready; i++)
			answers += serve_event(epoll, &events[i], to, anew);
		now = clock_now_ns();
	}
	printf("%.0f\n", answers * 1e9 / (now - begin));
}

/* UDP. */

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void talk_udp(const struct sockaddr_in *to, unsigned int len, double seconds)
{
	float *trips = calloc(TRIPS_MAX, sizeof(*trips));
	struct timeval wait = { .tv_sec = WAIT_MS / 1000 };
	uint64_t now = clock_now_ns(), end = now + (uint64_t)(seconds * 1e9);
	int fd = open_socket(SOCK_DGRAM);
	char bytes[DATAGRAM_MAX] = {};
	unsigned int n = 0;

	if (!trips || connect(fd, (const struct sockaddr *)to, sizeof(*to)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		die("socket");
	while (now < end && n < TRIPS_MAX) {
		uint64_t begin = now;

		if (send(fd, bytes, len, 0) != len || recv(fd, bytes, sizeof(bytes), 0) != len)
			die("round trip");
		now = clock_now_ns();
		trips[n++] = (now - begin) / 1e3;
	}
	qsort(trips, n, sizeof(*trips), by_value);
	printf("%.2f %.2f %.2f\n", trips[n / 2], trips[(uint64_t)n * 99 / 100],
	       trips[(uint64_t)n * 999 / 1000]);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	unsigned int n = argc == 7 ? strtoul(argv[5], NULL, 0) : 0;
	double seconds = argc == 7 ? strtod(argv[6], NULL) : 0;
	pid_t server;

	if (!n || n > DATAGRAM_MAX || seconds <= 0 || inet_pton(AF_INET, argv[4], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: talk rr|crr|udp FROM_NETNS TO_NETNS ADDRESS N SECONDS\n");
		return 2;
	}
	pin();
	server = start_server(argv[3]);
	enter(argv[2]);
	if (!strcmp(argv[1], "udp"))
		talk_udp(&to, n, seconds);
	else
		talk_tcp(&to, n, seconds, !strcmp(argv[1], "crr"));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
