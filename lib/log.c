// SPDX-License-Identifier: BSD-2-Clause
/*
 * log.c - structured log lines to the journal or to stderr
 *
 *	call site ─ level ─► rate of this site ─► pairs ─┬─► stderr: one write per line
 *	                                                 └─► journal: one field per pair
 *
 * A line leaves in one write, so threads never mix theirs. Values are quoted when
 * they hold blanks or anything a terminal or a parser could stumble over; a value
 * from outside cannot forge a second line. In the journal a pair k=v becomes the
 * field MIRACH_K, next to the readable line in MESSAGE.
 *
 * The only shared state is the level and the site's counters, both atomic.
 */
#include <lib/log.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LOG_LINE_MAX 4096
#define LOG_PAIRS_MAX 16
#define LOG_FMT_BUFFERS 16
#define LOG_FMT_LEN 512
#define FIELD_PREFIX "MIRACH_"

struct pair {
	const char *key, *value;
};

struct line {
	enum log_level level;
	const char *msg;
	struct pair pairs[LOG_PAIRS_MAX + 1];	/* one more: "suppressed" */
	unsigned int n;
};

/* Text that grows in a fixed buffer; what does not fit is left out. */
struct text {
	char *buf;
	size_t len, cap;
};

static const struct {
	const char *name;
	int priority;				/* syslog's number, for the journal */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", LOG_ERR},
	[LOG_LEVEL_WARN] = {"warn", LOG_WARNING},
	[LOG_LEVEL_INFO] = {"info", LOG_INFO},
	[LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static int current_level = LOG_LEVEL_INFO;
static char program[32] = "mirach";
static bool use_journal;

/* systemd says which stream is the journal's; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *name)
{
	snprintf(program, sizeof(program), "%s", name);
	use_journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&current_level, level, __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return __atomic_load_n(&current_level, __ATOMIC_RELAXED);
}

const char *log_level_name(enum log_level level)
{
	return level < N_LEVELS ? levels[level].name : "unknown";
}

int log_level_parse(const char *name, enum log_level *ret)
{
	for (unsigned int i = 0; i < N_LEVELS; i++) {
		if (!strcmp(name, levels[i].name)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* What a reader would take for something else: blanks, quotes, '=', control characters. */
static bool needs_quotes(const char *value)
{
	if (!*value)
		return true;
	for (; *value; value++) {
		if ((unsigned char)*value <= ' ' || strchr("\"\\=\x7f", *value))
			return true;
	}
	return false;
}

static void text_put(struct text *t, const char *s, size_t len)
{
	size_t room = t->cap - t->len;

	if (len > room)
		len = room;
	memcpy(t->buf + t->len, s, len);
	t->len += len;
}

static void text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

static void text_put_escaped(struct text *t, unsigned char c)
{
	char code[8];

	if (c == '"' || c == '\\')
		snprintf(code, sizeof(code), "\\%c", c);
	else if (c == '\n')
		snprintf(code, sizeof(code), "\\n");
	else if (c < ' ' || c == 0x7f)
		snprintf(code, sizeof(code), "\\x%02x", c);
	else
		snprintf(code, sizeof(code), "%c", c);
	text_puts(t, code);
}

static void text_put_value(struct text *t, const char *value)
{
	if (!needs_quotes(value)) {
		text_puts(t, value);
		return;
	}
	text_puts(t, "\"");
	for (; *value; value++)
		text_put_escaped(t, *value);
	text_puts(t, "\"");
}

/* The readable part: "vport ready vport=web-1 ifindex=12". */
static void text_put_line(struct text *t, const struct line *line)
{
	for (const char *c = line->msg; *c; c++)
		text_put(t, (unsigned char)*c < ' ' ? " " : c, 1);
	for (unsigned int i = 0; i < line->n; i++) {
		text_puts(t, " ");
		text_puts(t, line->pairs[i].key);
		text_puts(t, "=");
		text_put_value(t, line->pairs[i].value);
	}
}

static void write_stderr(const struct line *line)
{
	char buf[LOG_LINE_MAX], stamp[64];
	struct text t = {buf, 0, sizeof(buf) - 1};	/* one kept for the newline */
	struct timespec now;
	struct tm tm;
	ssize_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	text_puts(&t, stamp);
	snprintf(stamp, sizeof(stamp), ".%03ldZ ", now.tv_nsec / 1000000);
	text_puts(&t, stamp);
	text_puts(&t, log_level_name(line->level));
	text_puts(&t, " ");
	text_put_line(&t, line);
	buf[t.len++] = '\n';
	n = write(STDERR_FILENO, buf, t.len);
	(void)n;				/* nobody is left to tell */
}

/* Journal fields are [A-Z0-9_]: anything else becomes '_'. */
static void text_put_field_name(struct text *t, const char *key)
{
	text_puts(t, FIELD_PREFIX);
	for (; *key; key++) {
		char c = *key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key;

		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		text_put(t, &c, 1);
	}
}

static int write_journal(const struct line *line)
{
	char buf[2 * LOG_LINE_MAX], head[2][64];
	struct text t = {buf, 0, LOG_LINE_MAX};
	struct iovec iov[3 + LOG_PAIRS_MAX + 1];
	int n = 0;

	text_puts(&t, "MESSAGE=");
	text_put_line(&t, line);
	iov[n++] = (struct iovec){buf, t.len};
	t.cap = sizeof(buf);
	iov[n].iov_len = snprintf(head[0], sizeof(head[0]), "PRIORITY=%d",
				  levels[line->level].priority);
	iov[n++].iov_base = head[0];
	iov[n].iov_len = snprintf(head[1], sizeof(head[1]), "SYSLOG_IDENTIFIER=%s", program);
	iov[n++].iov_base = head[1];
	for (unsigned int i = 0; i < line->n; i++) {
		size_t start = t.len;

		text_put_field_name(&t, line->pairs[i].key);
		text_puts(&t, "=");
		text_puts(&t, line->pairs[i].value);
		if (t.len == t.cap)
			break;
		iov[n++] = (struct iovec){buf + start, t.len - start};
	}
	return sd_journal_sendv(iov, n);
}

/*
 * May this site speak now? At most LOG_BURST lines in a second. The first line of
 * a later second learns how many were held back before it.
 */
static bool site_admits(struct log_site *site, uint32_t *ret_suppressed)
{
	struct timespec now;
	uint64_t second, seen;

	clock_gettime(CLOCK_MONOTONIC, &now);
	second = now.tv_sec + 1;		/* 0 is "never spoke" */
	seen = __atomic_load_n(&site->second, __ATOMIC_RELAXED);
	if (seen != second && __atomic_compare_exchange_n(&site->second, &seen, second, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_store_n(&site->n, 0, __ATOMIC_RELAXED);
	if (__atomic_fetch_add(&site->n, 1, __ATOMIC_RELAXED) >= LOG_BURST) {
		__atomic_fetch_add(&site->suppressed, 1, __ATOMIC_RELAXED);
		return false;
	}
	*ret_suppressed = __atomic_exchange_n(&site->suppressed, 0, __ATOMIC_RELAXED);
	return true;
}

/* A NULL value ends the list: it cannot be told from a pair without one. */
static void line_take_pairs(struct line *line, va_list args)
{
	while (line->n < LOG_PAIRS_MAX) {
		const char *key = va_arg(args, const char *);
		const char *value = key ? va_arg(args, const char *) : NULL;

		if (!key)
			return;
		line->pairs[line->n++] = (struct pair){key, value ? value : "-"};
		if (!value)
			return;
	}
}

void log_write(struct log_site *site, enum log_level level, const char *msg, ...)
{
	struct line line = {.level = level < N_LEVELS ? level : LOG_LEVEL_ERROR, .msg = msg};
	uint32_t suppressed = 0;
	char count[16];
	va_list args;

	if (site && !site_admits(site, &suppressed))
		return;
	va_start(args, msg);
	line_take_pairs(&line, args);
	va_end(args);
	if (suppressed) {
		snprintf(count, sizeof(count), "%u", suppressed);
		line.pairs[line.n++] = (struct pair){"suppressed", count};
	}
	if (!use_journal || write_journal(&line) < 0)
		write_stderr(&line);
}

const char *log_fmt(const char *fmt, ...)
{
	static _Thread_local char buffers[LOG_FMT_BUFFERS][LOG_FMT_LEN];
	static _Thread_local unsigned int turn;
	char *buf = buffers[turn++ % LOG_FMT_BUFFERS];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, LOG_FMT_LEN, fmt, args);
	va_end(args);
	return buf;
}
