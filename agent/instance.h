/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * instance.h - one agent per socket
 *
 * An agent holds a lock on "<socket>.lock" as long as it lives; the kernel drops
 * it with the process, however that ends, so a stale file locks nobody out.
 */
#pragma once

#include <lib/error.h>

/*
 * Makes the socket's directory if it is missing. The lock is held until @ret_fd
 * is closed. -EBUSY: another agent holds it, @e names its pid.
 */
int instance_lock(const char *socket_path, int *ret_fd, struct error *e);
/* Removes the lock file, and its directory if that is empty; for teardown, by the holder. */
void instance_forget(const char *socket_path);
