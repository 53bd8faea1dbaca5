/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - structured log lines to the journal or to stderr
 *
 *	log_info("vport ready", "vport", name, "ifindex", log_fmt("%u", ifindex));
 *
 * A message and pairs of key and value, all strings; log_fmt() formats into a
 * small rotating buffer. On stderr a line reads
 * `2026-01-01T10:00:00.123Z info vport ready vport=web-1 ifindex=12`; under
 * systemd the journal gets the pairs as fields. The level can be changed while
 * the program runs, from any thread. Lines that repeat faster than
 * LOG_BURST per second per call site are counted and summed up.
 */
#pragma once

#include <stdarg.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_BURST 10

/* @name: program name for the journal. Chooses journal or stderr (JOURNAL_STREAM). */
void log_init(const char *name);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
const char *log_level_name(enum log_level level);
/* Returns 0, or -EINVAL if @name is no level. */
int log_level_parse(const char *name, enum log_level *ret);

struct log_site {
	uint64_t second;
	uint32_t n, suppressed;
};

void log_write(struct log_site *site, enum log_level level, const char *msg, ...)
	__attribute__((sentinel));

#define LOG_AT(level, ...)                                                       \
	do {                                                                     \
		static struct log_site site_;                                    \
		if ((level) <= log_get_level())                                  \
			log_write(&site_, level, __VA_ARGS__, (char *)0);        \
	} while (0)
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Formats into one of 16 thread-local buffers; valid until 16 more calls. */
const char *log_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
