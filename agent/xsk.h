/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk.h - an AF_XDP socket whose frames go back the way they came
 *
 *	         fill ring ◄───────────────────────────── completion ring
 *	             │                                           ▲
 *	kernel ──► rx ring ──► xsk_receive() ··· xsk_send() ──► tx ring ──► kernel
 *
 * One piece of memory, the UMEM, holds all frames. A received frame is worked on
 * where it lies and sent from there: nothing is copied in user space. Every ring
 * has room for every frame, so only the fill ring can ever run empty, and
 * then the kernel counts what it could not deliver.
 *
 * Copy mode, for a veth has nothing else; one thread owns the socket.
 */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

#include <lib/error.h>

#define XSK_BATCH 64u			/* frames to take and send at a time */
#define XSK_FRAME_SIZE 4096u		/* of a buffer; 256 of it are headroom of the kernel's */
#define XSK_BUFFER 3840u		/* a longer frame goes on in other buffers */

struct xsk;

/* Socket on queue 0 of @device, @n_frames a power of two. The caller puts its fd into an XSKMAP. */
int xsk_new(const char *device, uint32_t n_frames, struct xsk **ret, struct error *e);
void xsk_free(struct xsk *x);		/* NULL is allowed */
int xsk_fd(const struct xsk *x);

/*
 * Takes up to @max frames; they are the caller's until given to xsk_send(). Returns how
 * many. iov_len is the whole frame's, of which the first XSK_BUFFER bytes can be seen.
 */
unsigned int xsk_receive(struct xsk *x, struct iovec *ret_frames, unsigned int max);
/*
 * Gives received frames back: sends them, discards those with iov_len 0. A frame may be
 * kept for a later call; while it is, the kernel has one less. Returns as xsk_kick().
 */
unsigned int xsk_send(struct xsk *x, const struct iovec *frames, unsigned int n);
/* Makes the kernel send what it has not taken yet. Returns how many frames still wait. */
unsigned int xsk_kick(struct xsk *x);

struct xsk_counts {
	uint64_t overflow;		/* frames the kernel could not deliver to this socket */
	uint64_t tx_errors;		/* frames the device refused to send */
};
void xsk_read_counts(const struct xsk *x, struct xsk_counts *ret);
