/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_etcd_conn.h - members of a cluster and connections to them, for store_etcd_http.c
 */
#pragma once

#include <ctl/controller/store_etcd_http.h>

struct etcd_conn *etcd_conn_take(struct etcd_client *c);	/* to the current member; NULL: out of memory */
void etcd_conn_reuse(struct etcd_conn *conn);			/* its answer was good */
void etcd_conn_failed(struct etcd_conn *conn);			/* its member is not the current one any more */
bool etcd_conn_is_open(const struct etcd_conn *conn);		/* so that requests may have left by it */
bool etcd_conn_was_open(const struct etcd_conn *conn);		/* TLS, once broken: it came to be; else true */
const char *etcd_conn_why(const struct etcd_conn *conn);	/* it did not come to be, or what to do */
const char *etcd_conn_name(const struct etcd_conn *conn);

unsigned int etcd_client_timeout_ms(const struct etcd_client *c);
struct event_base *etcd_client_base(const struct etcd_client *c);
struct etcd_call **etcd_client_calls(struct etcd_client *c);	/* head of the list */
