/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixture_internal.h - between fixture.c and fixture_fire.c
 */
#pragma once

#include <mirach_tcx.skel.h>
#include <mirach_xdp.skel.h>

/* Zeroes usage and drops of the fixture's slots. */
void fixture_clear_books(void);
/* A flow index that is used again starts from zero. */
void fixture_clear_flow_stats(uint32_t flow);
