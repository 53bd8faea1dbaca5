/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - a network and mount namespace for a test that needs root
 *
 * sandbox_enter() moves the whole test program: devices it makes, file systems it
 * mounts and everything under /run are its own and vanish with it, however it
 * ends. A bpffs of the machine is out of sight. Without root every test skips.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lib/error.h>

/* Runs a shell command and returns its exit status. */
static inline int __attribute__((format(printf, 1, 2), unused)) sh(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command);
}

/* Group set-up; stays outside without root, and sandbox_need() then skips. */
static inline int __attribute__((unused)) sandbox_enter(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"))
		return -1;
	while (!umount2("/sys/fs/bpf", MNT_DETACH))
		;
	return sh("ip link set lo up");
}

static inline void __attribute__((unused)) sandbox_need(void)
{
	if (geteuid()) {
		print_message("# SKIP needs root\n");
		skip();
	}
}

/* A veth pair, both ends up; its ends go with sandbox_veth_del(). */
static inline int __attribute__((unused)) sandbox_veth(const char *a, const char *b)
{
	assert_int_equal(sh("ip link add %s type veth peer name %s && ip link set %s up && "
			    "ip link set %s up", a, b, a, b), 0);
	return if_nametoindex(a);
}

static inline void __attribute__((unused)) sandbox_veth_del(const char *a)
{
	assert_int_equal(sh("ip link del %s", a), 0);
}

static inline bool __attribute__((unused)) exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static inline void __attribute__((unused))
expect_ok(int err, const struct error *e, const char *call, const char *file, int line)
{
	if (!err)
		return;
	print_error("%s: %d: %s\n", call, err, e->text);
	_fail(file, line);
}

static inline void __attribute__((unused))
expect_refused(int err, int wanted, const char *words, const struct error *e, const char *call,
	       const char *file, int line)
{
	if (err == wanted && strstr(e->text, words))
		return;
	print_error("%s: %d, wanted %d \"%s\": %s\n", call, err, wanted, words, e->text);
	_fail(file, line);
}

/* The call must have succeeded; otherwise its sentence is shown. */
#define assert_ok(call, e) expect_ok(call, e, #call, __FILE__, __LINE__)

/* The call must have failed with @no, and its sentence must contain @words. */
#define assert_refused(call, no, words, e) \
	expect_refused(call, -(no), words, e, #call, __FILE__, __LINE__)
