/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backoff.h - how long to wait before the next attempt
 *
 * Exponential with full jitter: after n failures in a row, any time between nothing and
 * 2^n times BACKOFF_BASE_MS, at most BACKOFF_MAX_MS. Thousands of hosts that lose one
 * controller at the same moment so come back spread out, the wider the longer it is away.
 *
 * Pure: the caller throws the dice.
 */
#pragma once

#include <stdint.h>

#define BACKOFF_BASE_MS 500u
#define BACKOFF_MAX_MS 15000u

/* @failures: in a row, at least 1. @dice: 64 random bits. */
static inline uint32_t backoff_ms(uint32_t failures, uint64_t dice)
{
	uint64_t ceiling = BACKOFF_MAX_MS;

	if (failures < 16 && ((uint64_t)BACKOFF_BASE_MS << (failures - 1)) < ceiling)
		ceiling = (uint64_t)BACKOFF_BASE_MS << (failures - 1);
	return dice % (ceiling + 1);
}
