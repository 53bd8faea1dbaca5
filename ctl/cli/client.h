/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - one question to the agent over its socket
 */
#pragma once

#include <cjson/cJSON.h>

#include <lib/error.h>

#define CLIENT_SOCKET "/run/mirach/mirachd.sock"

enum client_result {
	CLIENT_OK,
	CLIENT_REFUSED,			/* the agent said no: its errno and words are in @e */
	CLIENT_UNREACHABLE,		/* nobody there, not permitted, or the line broke */
};

/* Takes over @args (NULL: none). On CLIENT_OK the caller deletes @ret_result. */
enum client_result client_call(const char *socket_path, const char *op, cJSON *args,
			       cJSON **ret_result, struct error *e);
