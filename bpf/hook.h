/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook.h - what the core needs from the place it runs in
 *
 * The core is written against these names; an entry program chooses who
 * implements them by defining HOOK_HEADER before its first include.
 *
 *   HOOK_CTX                      type of the context
 *   HOOK_PASS, _DROP, _REDIRECT   what an entry program may return
 *   hook_reload(pkt)              refresh data and end
 *   hook_frame_len(pkt)           bytes of the whole frame, all buffers
 *   hook_ifindex(ctx)             device the frame came in by
 *   hook_grow(pkt, n)             n bytes in front, contents undefined
 *   hook_shrink(pkt, n)           n bytes off the front
 *   hook_set_len(pkt, len)        cut or extend the end
 *   hook_load(pkt, buf, len)      first bytes of the frame, across buffers
 *   hook_redirect(port)           out through a port slot: HOOK_REDIRECT, or what else it is
 *
 * Resizing functions return 0 or -errno and reload the cursor; every other
 * pointer into the packet is dead afterwards.
 */
#pragma once

#include HOOK_HEADER
