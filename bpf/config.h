/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h - what is fixed when the object is loaded
 *
 * Constants in .rodata: the agent sets them before loading, the verifier sees
 * their values and prunes by them. The defaults serve a load by hand, where no
 * secret protects the buckets (docs/by-hand.md).
 */
#pragma once

#include <bpf/hook.h>
#include <mirach/abi.h>
#include <mirach/hub.h>

#include <maps/endpoint.h>
#include <maps/flow.h>

const volatile __u32 flow_secret[FLOW_SECRET_WORDS] = FLOW_SECRET_DEFAULT;
const volatile __u32 flow_bucket_mask = FLOW_BUCKETS_DEFAULT - 1;
const volatile __u32 hub_packet_max = HUB_PACKET_ONE;
const volatile __u32 endpoint_bucket_mask = ENDPOINT_BUCKETS_DEFAULT - 1;
