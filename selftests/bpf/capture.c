// SPDX-License-Identifier: BSD-2-Clause
/*
 * capture.c - writes a pcap file, runs tshark on it, splits its table
 */
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_NAME "/run/mirach-test.pcap"	/* in the sandbox's own /run */
#define LINKTYPE_ETHERNET 1

struct pcap_file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, max_len, linktype;
};

struct pcap_frame_header {
	uint32_t seconds, microseconds, caught, len;
};

static FILE *file;

void capture_need(void)
{
	if (!system("command -v tshark >/dev/null 2>&1"))
		return;
	print_message("# SKIP no tshark\n");
	skip();
}

void capture_begin(void)
{
	const struct pcap_file_header h = { .magic = 0xa1b2c3d4, .major = 2, .minor = 4,
					    .max_len = 65535, .linktype = LINKTYPE_ETHERNET };

	file = fopen(FILE_NAME, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(&h, sizeof(h), 1, file), 1);
}

void capture_add(const void *frame, size_t len)
{
	const struct pcap_frame_header h = { .caught = len, .len = len };

	assert_int_equal(fwrite(&h, sizeof(h), 1, file), 1);
	assert_int_equal(fwrite(frame, len, 1, file), 1);
}

static void command_of(const char *const *fields, char *buf, size_t size)
{
	size_t n = snprintf(buf, size,
		"tshark -n -r " FILE_NAME " -T fields -E separator='|' -E occurrence=a -E aggregator=, "
		"-o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE "
		"-o udp.ignore_ipv6_zero_checksum:TRUE -o tcp.analyze_sequence_numbers:FALSE");

	for (; *fields; fields++)
		n += snprintf(buf + n, size - n, " -e %s", *fields);
	snprintf(buf + n, size - n, " 2>/dev/null");
}

static void split(char *line, char text[CAPTURE_FIELDS_MAX][CAPTURE_TEXT_MAX])
{
	char *field;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; (field = strsep(&line, "|")); i++) {
		assert_true(i < CAPTURE_FIELDS_MAX);
		snprintf(text[i], CAPTURE_TEXT_MAX, "%s", field);
	}
}

const struct capture *capture_decode(const char *const *fields)
{
	static struct capture capture;
	char command[2048], line[CAPTURE_FIELDS_MAX * CAPTURE_TEXT_MAX];
	FILE *tshark;

	assert_int_equal(fclose(file), 0);
	memset(&capture, 0, sizeof(capture));
	command_of(fields, command, sizeof(command));
	tshark = popen(command, "r");
	assert_non_null(tshark);
	while (fgets(line, sizeof(line), tshark)) {
		assert_true(capture.n_frames < CAPTURE_FRAMES_MAX);
		split(line, capture.text[capture.n_frames++]);
	}
	assert_int_equal(pclose(tshark), 0);
	return &capture;
}
