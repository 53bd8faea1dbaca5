/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_json.h - Mirach's structures as the JSON of docs/admin-protocol.md
 *
 * One function per structure, so that a flow looks the same in every operation.
 * Main thread only: names come from the agent's own policy and ports.
 */
#pragma once

#include <cjson/cJSON.h>

#include <agent/agent.h>

/* Moves the fields of @from to @to and deletes the empty @from. */
void json_move(cJSON *to, cJSON *from);
void json_addr(cJSON *o, const char *field, const struct ip_addr *addr);
void json_mac(cJSON *o, const char *field, const uint8_t mac[ETH_ADDR_LEN]);
/* VIDs without flags, outermost first; always an array. */
void json_vlans(cJSON *o, const char *field, const uint16_t vlan[2]);

/* Where a flow entered: scope, vport, network, vni, outer. */
void json_scope(cJSON *o, const struct agent *a, const struct flow_key *key);
/* Addresses, protocol, tags; ports if the key speaks for them. */
void json_tuple(cJSON *o, const struct flow_key *key);
/* Verdict, stages, next hop, rule. */
void json_action(cJSON *o, const struct agent *a, const struct action *action);
/* A row of nexthop.list; NULL if there is no such id. */
cJSON *json_nexthop(const struct agent *a, uint32_t id);
/* A row of vport.list. */
cJSON *json_vport(const struct vport_view *view);
/* Vports that wait for a device, as rows of vport.list; `controller` of status. admin_ops_control.c */
void json_unbound(cJSON *list, const struct agent *a);
void json_controller(cJSON *o, const struct agent *a);
/* Adds usage, drops, closes and gap of a port slot to @o. 0 or -errno. */
int json_books(cJSON *o, const struct agent *a, uint32_t slot, struct error *e);

/* VNI of the network a flow belongs to, 0 if its vport is gone. */
uint32_t flow_vni(const struct agent *a, const struct flow_key *key);
/* Name of what is in a port slot; "unknown" for slot 0, NULL if it is free. */
const char *port_name(const struct agent *a, uint32_t slot);
