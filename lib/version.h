/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * version.h - the number all programs of one Mirach carry
 */
#pragma once

#define MIRACH_VERSION "0.1.0"
