/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.h - what will be slow or refused, said before anything is attached
 *
 * Checks add findings; nothing is changed, attached or left behind. The two
 * files of checks know nothing of output.
 */
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

#include <agent/config.h>

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_SLOW,			/* will work, but costs; the remedy makes it fast */
	DOCTOR_REFUSED,			/* will not work */
	DOCTOR_UNKNOWN,			/* cannot be told from here */
	DOCTOR_N_LEVELS
};

struct doctor {
	cJSON *findings;		/* array */
	unsigned int n[DOCTOR_N_LEVELS];
};

/* @remedy NULL: nothing to do. */
void doctor_add(struct doctor *d, enum doctor_level level, const char *subject, const char *remedy,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Kernel, BPF, memory, capabilities, AF_XDP. */
void doctor_host(struct doctor *d);

struct doctor_device {
	const char *name;
	bool vport;			/* a guest's, else an uplink */
	bool tags;			/* VLAN tags on it mean something to Mirach */
	bool generic;			/* the configuration asks for generic mode by name */
	enum config_hook hook;		/* the configuration's wish */
	bool guest_reached;		/* vport: the agent is given the guest's namespace */
};

void doctor_device(struct doctor *d, const struct doctor_device *device);

/* What is known of a driver where the kernel cannot say; native_since NULL: never. Pure. */
struct doctor_driver {
	const char *name, *native_since, *frags_since;
};
const struct doctor_driver *doctor_driver_find(const char *name);
