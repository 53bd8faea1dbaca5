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
 *   hook_linear(pkt)              first load of the cursor, with all headers in reach if the hook can
 *   hook_first_len(ctx)           bytes of the frame, as far as that costs nothing
 *   hook_frame_len(pkt)           bytes of the whole frame, all buffers
 *   hook_wire_len(pkt)            bytes of the longest IP packet the frame becomes on the wire
 *   hook_segments(pkt)            packets the frame becomes on the wire
 *   hook_is_flood(pkt)            true: the frame would become more than SEGMENTS_MAX packets
 *   hook_ifindex(ctx)             device the frame came in by
 *   HOOK_TAGS_BESIDE              the outermost VLAN tag is held beside the frame, not in it
 *   hook_tagged(ctx)              a VLAN tag is held beside the frame: its VID | FLOW_VLAN_PRESENT
 *   hook_tag_pop(pkt, n)          n VLAN tags off; addresses undefined until written
 *   hook_tag_push(pkt, tci)       a C-tag on; likewise
 *   hook_encap(pkt, n, ip, udp)   n bytes for outer headers in front, of which ip and udp are theirs
 *   hook_front(pkt, n)            n bytes in front of the frame, which is payload from then on
 *   hook_decap(pkt, n)            n bytes of outer headers off the front
 *   hook_elsewhere(pkt)           true: leave it to the stack, which takes the outer headers off better (unwrap.h)
 *   hook_is_unwrapped(pkt, port)  true: it comes from there, and
 *   hook_unwrapped(pkt)           says of it what decap() says of others: CONTINUE, or a drop
 *   hook_set_len(pkt, len)        cut or extend the end
 *   hook_quote(pkt, quote, room)  Ethernet header, `room` open bytes, and the first `quote` bytes behind the header
 *   hook_load(pkt, at, buf, len)  bytes of the frame from offset `at` on, across buffers
 *   hook_sum(pkt, old, new)       a word outside any checksummed header changed
 *   hook_l4_sum(pkt, at, old, new) 16 bits under the sum at offset `at` changed; reloads
 *   hook_redirect(pkt, port)      out through a port slot: HOOK_REDIRECT, or what else it is
 *
 * Resizing functions return 0 or -errno and reload the cursor; every other
 * pointer into the packet is dead afterwards.
 */
#pragma once

#include HOOK_HEADER
