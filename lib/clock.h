/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the one place that asks for the time
 *
 * Main loops and threads read the clock once per turn and pass it on as `now`;
 * whatever decides takes it as an argument and never calls this.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}
