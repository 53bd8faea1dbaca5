/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - an object or a kind as people name it: "instance acme/web-1", "hosts"
 */
#pragma once

#include <ctl/cli/server.h>
#include <ctl/controller/model.h>

struct target {
	enum kind kind;
	char tenant[MODEL_TENANT_LEN];	/* or region; "": all */
	char name[MODEL_NAME_LEN];	/* "": all */
};

/* From the words KIND [NAME], --tenant and the settings. CLI_OK, or CLI_USAGE with what is wrong printed. */
int target_read(const struct cli *cli, const struct server *s, struct target *ret);
/* From an object's JSON; 0 or -EINVAL. */
int target_of(const cJSON *json, struct target *ret);
/* Its path in the API; valid until 64 more texts of view.h. */
const char *target_path(const struct target *t);
