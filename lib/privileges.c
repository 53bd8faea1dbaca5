/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges.c - the capabilities the agent cannot do without, and what for
 */
#include <lib/privileges.h>

#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/capability.h>

const struct privilege privileges[] = {
	{ CAP_BPF, "CAP_BPF", "to load programs and maps" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "to attach programs and set up devices" },
	{ CAP_NET_RAW, "CAP_NET_RAW", "to open AF_XDP sockets" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "to mount a bpffs and reach guests' namespaces" },
	{ CAP_IPC_LOCK, "CAP_IPC_LOCK", "to lock the memory of AF_XDP sockets" },
	{ 0, NULL, NULL },
};

int privilege_held(const struct privilege *p)
{
	if (capng_get_caps_process())
		return 0;
	return capng_have_capability(CAPNG_EFFECTIVE, p->cap);
}

int privileges_check(struct error *e)
{
	char missing[256] = "";
	size_t len = 0;

	for (const struct privilege *p = privileges; p->name; p++) {
		if (privilege_held(p))
			continue;
		len += snprintf(missing + len, sizeof(missing) - len, "%s%s (%s)",
				len ? ", " : "", p->name, p->why);
		if (len >= sizeof(missing))
			break;
	}
	if (!len)
		return 0;
	return error_set(e, -EPERM, "missing %s; run as root or grant it "
			 "(systemd: AmbientCapabilities=)", missing);
}
