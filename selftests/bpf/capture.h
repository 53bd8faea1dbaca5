/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.h - what tshark makes of our frames
 *
 * A second opinion by people who know every header: frames go into a capture
 * file, tshark takes them apart, and the test compares fields. All values of a
 * field come in one string, the outermost header's first, with commas between.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_FRAMES_MAX 128
#define CAPTURE_FIELDS_MAX 24
#define CAPTURE_TEXT_MAX 160

/* Checksum states in tshark's words. */
#define CAPTURE_SUM_GOOD "1"
#define CAPTURE_SUM_ABSENT "3"

struct capture {
	unsigned int n_frames;
	char text[CAPTURE_FRAMES_MAX][CAPTURE_FIELDS_MAX][CAPTURE_TEXT_MAX];
};

void capture_need(void);		/* skips the test where there is no tshark */
/* Begins a file, adds frames to it, and has it decoded. @fields ends with NULL. */
void capture_begin(void);
void capture_add(const void *frame, size_t len);
const struct capture *capture_decode(const char *const *fields);
