// SPDX-License-Identifier: BSD-2-Clause
/*
 * xsk.c - an AF_XDP socket whose frames go back the way they came
 *
 * The rings are libxdp's. Sent frames return through the completion ring and go
 * straight to the fill ring; that happens whenever frames are received, so it
 * needs no thread and no timer of its own.
 *
 * In copy mode the kernel sends inside sendto(), some frames a call, and says
 * EAGAIN while more are waiting.
 *
 * A frame that needs several buffers (Linux 6.6 and newer) is a chain of them: what
 * continues a buffer is remembered beside the area, and goes wherever its first goes.
 *
 * See also: xsk.h (the picture), flow_thread.c (the caller).
 */
#include "xsk.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_xdp.h>
#include <xdp/xsk.h>

#include <lib/xdp_features.h>

#define BUSY_TRIES 50
#define BUSY_WAIT_US 20000
#define KICKS_MAX 16			/* sendto() calls in a row before others get their turn */

/* A buffer that holds bytes of a received frame. */
struct buffer {
	uint64_t addr;			/* of the first of them */
	uint32_t len;
	bool continued;			/* the frame goes on in `next` */
	uint32_t next;			/* index of a buffer */
};

struct xsk {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion, rx;
	char *area;			/* n_frames x XSK_FRAME_SIZE bytes */
	struct buffer *buffers;		/* one for each of them */
	uint32_t n_frames;
	uint64_t tx_errors;
};

static size_t area_len(const struct xsk *x)
{
	return (size_t)x->n_frames * XSK_FRAME_SIZE;
}

static int map_area(struct xsk *x, struct error *e)
{
	x->area = mmap(NULL, area_len(x), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (x->area == MAP_FAILED) {
		x->area = NULL;
		return error_set(e, -errno, "%zu bytes for packet buffers: %s", area_len(x),
				 strerror(errno));
	}
	return 0;
}

static int create_umem(struct xsk *x, struct error *e)
{
	struct xsk_umem_config config = {
		/* The kernel may hand out a frame before it says that its place in the ring is free. */
		.fill_size = 2 * x->n_frames,
		.comp_size = x->n_frames,
		.frame_size = XSK_FRAME_SIZE,
	};
	int err;

	err = xsk_umem__create(&x->umem, x->area, area_len(x), &x->fill, &x->completion, &config);
	if (err == -ENOBUFS)
		return error_set(e, err, "packet buffers of %zu bytes exceed the limit of locked memory; raise LimitMEMLOCK", area_len(x));
	if (err)
		return error_set(e, err, "packet buffers of AF_XDP: %s", strerror(-err));
	return 0;
}

static int create_socket(struct xsk *x, const char *device, struct error *e)
{
	struct xsk_socket_config config = {
		.rx_size = x->n_frames,
		.tx_size = x->n_frames,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP |
			      (xdp_socket_chains() ? XDP_USE_SG : 0),
	};
	int err;

	err = xsk_socket__create(&x->socket, device, 0, x->umem, &x->rx, &x->tx, &config);
	if (err == -EBUSY)
		return error_set(e, err, "%s: another AF_XDP socket has queue 0; is another agent running?", device);
	if (err)
		return error_set(e, err, "%s: AF_XDP socket: %s", device, strerror(-err));
	return 0;
}

/* All frames to the kernel, to receive into. */
static void fill_up(struct xsk *x)
{
	uint32_t at;
	bool room = xsk_ring_prod__reserve(&x->fill, x->n_frames, &at) == x->n_frames;

	assert(room);
	for (uint32_t i = 0; i < x->n_frames; i++)
		*xsk_ring_prod__fill_addr(&x->fill, at + i) = (uint64_t)i * XSK_FRAME_SIZE;
	xsk_ring_prod__submit(&x->fill, x->n_frames);
}

static void close_all(struct xsk *x)
{
	xsk_socket__delete(x->socket);
	if (x->umem)
		xsk_umem__delete(x->umem);
	if (x->area)
		munmap(x->area, area_len(x));
	free(x->buffers);
	*x = (struct xsk){ .n_frames = x->n_frames };
}

static int open_all(struct xsk *x, const char *device, struct error *e)
{
	int err;

	x->buffers = calloc(x->n_frames, sizeof(*x->buffers));
	err = x->buffers ? map_area(x, e) : error_set(e, -ENOMEM, "out of memory");
	if (!err)
		err = create_umem(x, e);
	if (!err)
		err = create_socket(x, device, e);
	if (err)
		close_all(x);
	return err;
}

/*
 * The kernel lets go of a closed socket's queue a moment later, from a work
 * queue: a restarted agent may be there before that.
 */
int xsk_new(const char *device, uint32_t n_frames, struct xsk **ret, struct error *e)
{
	struct xsk *x;
	int err;

	x = calloc(1, sizeof(*x));
	if (!x)
		return error_set(e, -ENOMEM, "out of memory");
	x->n_frames = n_frames;
	for (int i = 0; i < BUSY_TRIES; i++) {
		err = open_all(x, device, e);
		if (err != -EBUSY)
			break;
		usleep(BUSY_WAIT_US);
	}
	if (err) {
		free(x);
		return err;
	}
	fill_up(x);
	*ret = x;
	return 0;
}

void xsk_free(struct xsk *x)
{
	if (!x)
		return;
	close_all(x);
	free(x);
}

int xsk_fd(const struct xsk *x)
{
	return xsk_socket__fd(x->socket);
}

static void fill_one(struct xsk *x, uint64_t addr)
{
	uint32_t at;
	bool room = xsk_ring_prod__reserve(&x->fill, 1, &at) == 1;

	assert(room);
	*xsk_ring_prod__fill_addr(&x->fill, at) = addr & ~(uint64_t)(XSK_FRAME_SIZE - 1);
	xsk_ring_prod__submit(&x->fill, 1);
}

/* Frames the kernel has sent become frames it can receive into. */
static void recycle(struct xsk *x)
{
	uint32_t at, to, n;
	bool room;

	n = xsk_ring_cons__peek(&x->completion, x->n_frames, &at);
	if (!n)
		return;
	room = xsk_ring_prod__reserve(&x->fill, n, &to) == n;
	assert(room);
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, to + i) =
			*xsk_ring_cons__comp_addr(&x->completion, at + i) &
			~(uint64_t)(XSK_FRAME_SIZE - 1);
	xsk_ring_prod__submit(&x->fill, n);
	xsk_ring_cons__release(&x->completion, n);
}

static uint32_t buffer_index(uint64_t addr)
{
	return addr / XSK_FRAME_SIZE;
}

static uint32_t take_buffer(struct xsk *x, uint32_t at, bool *ret_continued)
{
	const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&x->rx, at);
	uint32_t i = buffer_index(desc->addr);

	*ret_continued = desc->options & XDP_PKT_CONTD;
	x->buffers[i] = (struct buffer){ .addr = desc->addr, .len = desc->len };
	return i;
}

/* One frame of the @n descriptors from @at on, of which the kernel publishes whole frames. Returns how many it had. */
static uint32_t take_frame(struct xsk *x, uint32_t at, uint32_t n, struct iovec *ret)
{
	bool more;
	uint32_t used = 1, i = take_buffer(x, at, &more);

	ret->iov_base = x->area + x->buffers[i].addr;
	ret->iov_len = x->buffers[i].len;
	while (more && used < n) {
		uint32_t next = take_buffer(x, at + used++, &more);

		x->buffers[i].continued = true;
		x->buffers[i].next = next;
		ret->iov_len += x->buffers[next].len;
		i = next;
	}
	return used;
}

unsigned int xsk_receive(struct xsk *x, struct iovec *ret_frames, unsigned int max)
{
	uint32_t at, have, used = 0;
	unsigned int n = 0;

	recycle(x);
	have = xsk_ring_cons__peek(&x->rx, x->n_frames, &at);
	while (n < max && used < have)
		used += take_frame(x, at + used, have - used, &ret_frames[n++]);
	xsk_ring_cons__cancel(&x->rx, have - used);
	if (used)
		xsk_ring_cons__release(&x->rx, used);
	return n;
}

static void send_buffer(struct xsk *x, const struct buffer *b)
{
	struct xdp_desc *desc;
	uint32_t at;
	bool room = xsk_ring_prod__reserve(&x->tx, 1, &at) == 1;

	assert(room);
	desc = xsk_ring_prod__tx_desc(&x->tx, at);
	desc->addr = b->addr;
	desc->len = b->len;
	desc->options = b->continued ? XDP_PKT_CONTD : 0;
}

/* All buffers of a frame to the device, or back to where they came from. Returns how many are to be sent. */
static unsigned int give_back(struct xsk *x, const struct iovec *frame)
{
	const struct buffer *b = &x->buffers[buffer_index((char *)frame->iov_base - x->area)];
	unsigned int n = 0;

	for (;; b = &x->buffers[b->next]) {
		if (frame->iov_len)
			send_buffer(x, b);
		else
			fill_one(x, b->addr);
		n++;
		if (!b->continued)
			return frame->iov_len ? n : 0;
	}
}

unsigned int xsk_send(struct xsk *x, const struct iovec *frames, unsigned int n)
{
	unsigned int n_sent = 0;

	for (unsigned int i = 0; i < n; i++)
		n_sent += give_back(x, &frames[i]);
	if (n_sent)
		xsk_ring_prod__submit(&x->tx, n_sent);
	return xsk_kick(x);
}

static unsigned int n_unsent(struct xsk *x)
{
	return x->n_frames - xsk_prod_nb_free(&x->tx, x->n_frames);
}

unsigned int xsk_kick(struct xsk *x)
{
	unsigned int left = n_unsent(x);

	for (int i = 0; left && i < KICKS_MAX && xsk_ring_prod__needs_wakeup(&x->tx); i++) {
		if (sendto(xsk_fd(x), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN) {
			__atomic_fetch_add(&x->tx_errors, 1, __ATOMIC_RELAXED);
			if (errno != EBUSY)	/* not this frame's fault: the device is down */
				break;
		}
		left = n_unsent(x);
	}
	return left;
}

void xsk_read_counts(const struct xsk *x, struct xsk_counts *ret)
{
	struct xdp_statistics stats = {};
	socklen_t len = sizeof(stats);

	ret->tx_errors = __atomic_load_n(&x->tx_errors, __ATOMIC_RELAXED);
	ret->overflow = 0;
	if (getsockopt(xsk_fd(x), SOL_XDP, XDP_STATISTICS, &stats, &len))
		return;
	/* rx_fill_ring_empty_descs is a cause, its frames are in rx_dropped already */
	ret->overflow = stats.rx_dropped + stats.rx_ring_full;
}
