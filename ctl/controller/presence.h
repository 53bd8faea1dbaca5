/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * presence.h - how many instances of a network are on a host
 *
 * Whether a host needs a network at all is asked with every change of an instance;
 * walking the host's instances for it would cost more the fuller the hosts are.
 * Kept by model_set; a pair without instances takes no room.
 */
#pragma once

#include <stdint.h>

#include <ctl/controller/index.h>

struct host;
struct network;

void presence_init(struct index *x);
void presence_done(struct index *x);
/* One instance more, or -ENOMEM. */
int presence_add(struct index *x, const struct host *host, const struct network *net);
/* One less; there was one. */
void presence_del(struct index *x, const struct host *host, const struct network *net);
uint32_t presence_count(const struct index *x, const struct host *host, const struct network *net);
