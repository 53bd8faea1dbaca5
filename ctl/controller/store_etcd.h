/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_etcd.h - what the parts of the etcd store share
 */
#pragma once

#include <ctl/controller/store_etcd_http.h>
#include <ctl/controller/store_impl.h>

struct etcd_watch;

struct etcd_store {
	struct store s;
	struct etcd_client *client;
	struct etcd_watch *watches;
	bool quorum_lost;		/* the last linearizable read found none */
};

struct store_watch *etcd_watch_new(struct store *s, const char *prefix, int64_t from,
				   store_watch_fn fn, void *arg);
void etcd_watch_cancel(struct store_watch *w);
void etcd_watches_free(struct etcd_store *s);
