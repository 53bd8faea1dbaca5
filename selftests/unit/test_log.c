// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_log.c - log lines as they arrive on stderr
 *
 * stderr is turned into a file while lines are written, then read back. Lines
 * are judged after their time stamp, whose form is judged once.
 */
#include <lib/log.h>

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <selftests/unit/expect.h>

#define STAMP_LEN 25			/* "2026-01-01T10:00:00.123Z " */

static int saved_stderr = -1;
static char seen[1 << 20];

static void capture_begin(void)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	fclose(file);
}

/* What was written since, in `seen`. */
static void capture_end(void)
{
	ssize_t n = pread(STDERR_FILENO, seen, sizeof(seen) - 1, 0);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	assert_true(n >= 0);
	seen[n] = '\0';
}

static const char *after_stamp(void)
{
	assert_true(strlen(seen) > STAMP_LEN);
	return seen + STAMP_LEN;
}

static unsigned int count_lines(void)
{
	unsigned int n = 0;

	for (const char *c = seen; *c; c++)
		n += *c == '\n';
	return n;
}

static int setup(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_init("test");
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static void test_a_line(void **state)
{
	(void)state;
	capture_begin();
	log_info("vport ready", "vport", "web-1", "ifindex", log_fmt("%u", 12));
	capture_end();
	expect_text("line", after_stamp(), "info vport ready vport=web-1 ifindex=12\n");
}

static void test_the_stamp(void **state)
{
	regex_t form;

	(void)state;
	assert_int_equal(regcomp(&form, "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:"
				 "[0-6][0-9]\\.[0-9]{3}Z warn x\n$", REG_EXTENDED | REG_NOSUB), 0);
	capture_begin();
	log_warn("x");
	capture_end();
	if (regexec(&form, seen, 0, NULL, 0))
		fail_msg("seen \"%s\", expected a UTC time with milliseconds", seen);
	regfree(&form);
}

static void test_levels(void **state)
{
	(void)state;
	capture_begin();
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("hidden");
	log_error("shown");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown");
	log_set_level(LOG_LEVEL_INFO);
	log_debug("hidden");
	capture_end();
	expect_int("lines", count_lines(), 2);
	expect_part("levels", seen, "error shown\n");
	expect_part("levels", seen, "debug shown\n");
}

static void test_level_names(void **state)
{
	static const char *const refused[] = {"", "INFO", "warning", "err", " info", "info ", "2"};
	enum log_level level;

	(void)state;
	for (enum log_level l = LOG_LEVEL_ERROR; l <= LOG_LEVEL_DEBUG; l++) {
		expect_int(log_level_name(l), log_level_parse(log_level_name(l), &level), 0);
		expect_int(log_level_name(l), level, l);
	}
	level = LOG_LEVEL_WARN;
	for (size_t i = 0; i < COUNT(refused); i++)
		expect_int(refused[i], log_level_parse(refused[i], &level), -EINVAL);
	expect_int("untouched", level, LOG_LEVEL_WARN);
}

/* A value from outside can neither forge a line nor a pair. */
static void test_values_are_quoted(void **state)
{
	static const struct {
		const char *value, *printed;
	} cases[] = {
		{"plain", "plain"},
		{"192.0.2.1:80/tcp", "192.0.2.1:80/tcp"},
		{"zürich", "zürich"},
		{"", "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"hi\"", "\"say \\\"hi\\\"\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"x\n2026-01-01T00:00:00.000Z error forged",
		 "\"x\\n2026-01-01T00:00:00.000Z error forged\""},
		{"\x1b[31m", "\"\\x1b[31m\""},
		{"del\x7f", "\"del\\x7f\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected), "info m k=%s\n", cases[i].printed);
		capture_begin();
		log_write(NULL, LOG_LEVEL_INFO, "m", "k", cases[i].value, NULL);
		capture_end();
		expect_text(cases[i].value, after_stamp(), expected);
	}
}

static void test_control_in_message(void **state)
{
	(void)state;
	capture_begin();
	log_info("one\ntwo\tthree");
	capture_end();
	expect_text("message", after_stamp(), "info one two three\n");
}

static void test_too_long_is_cut(void **state)
{
	static char value[20000];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	capture_begin();
	log_info("long", "value", value, "after", "lost");
	capture_end();
	expect_int("lines", count_lines(), 1);
	expect_int("bytes", strlen(seen), 4096);
	expect_int("last", seen[4095], '\n');
}

static void test_missing_value(void **state)
{
	(void)state;
	capture_begin();
	log_info("m", "k", (char *)NULL);
	capture_end();
	expect_text("NULL", after_stamp(), "info m k=-\n");
}

static void test_many_pairs(void **state)
{
	(void)state;
	capture_begin();
	log_info("m", "a", "1", "a", "2", "a", "3", "a", "4", "a", "5", "a", "6", "a", "7", "a", "8",
		 "a", "9", "a", "10", "a", "11", "a", "12", "a", "13", "a", "14", "a", "15", "a",
		 "16", "a", "17", "a", "18");
	capture_end();
	expect_part("pairs", seen, " a=16\n");
}

/* The books close: lines written + lines summed up as suppressed = calls. */
static void test_bursts_are_summed_up(void **state)
{
	struct log_site site = {};
	unsigned int calls = 50, said, held = 0;
	unsigned long stamp;

	(void)state;
	capture_begin();
	for (unsigned int i = 0; i < calls; i++)
		log_write(&site, LOG_LEVEL_INFO, "again", NULL);
	stamp = site.second;
	while (site.second == stamp && calls < 5000) {	/* until a later second lets one through */
		usleep(10000);
		log_write(&site, LOG_LEVEL_INFO, "again", NULL);
		calls++;
	}
	capture_end();
	said = count_lines();
	for (const char *p = seen; (p = strstr(p, "suppressed=")); p++)
		held += strtoul(p + strlen("suppressed="), NULL, 10);
	expect_int("said + held", said + held, calls);
	assert_in_range(said, 2, 2 * LOG_BURST + 1);
	assert_true(held >= 50 - 2 * LOG_BURST);
}

static void *chatter(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_write(NULL, LOG_LEVEL_INFO, "thread", "id", (char *)arg, "n", log_fmt("%d", i),
			  NULL);
	return NULL;
}

static void test_threads_do_not_mix_lines(void **state)
{
	static char *names[] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"};
	unsigned int n = 0;
	pthread_t threads[2];
	regex_t form;

	(void)state;
	assert_int_equal(regcomp(&form, "^[^ ]+ info thread id=(a{16}|b{16}) n=[0-9]+$",
				 REG_EXTENDED | REG_NOSUB), 0);
	capture_begin();
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, chatter, names[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	capture_end();
	for (char *line = strtok(seen, "\n"); line; line = strtok(NULL, "\n"), n++) {
		if (regexec(&form, line, 0, NULL, 0))
			fail_msg("seen \"%s\", expected one thread's line", line);
	}
	regfree(&form);
	expect_int("lines", n, 1000);
}

static void test_fmt_turns(void **state)
{
	const char *kept[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		kept[i] = log_fmt("%d", i);
	for (int i = 0; i < 16; i++)
		expect_int("kept", atoi(kept[i]), i);
	expect_int("cut", strlen(log_fmt("%2000d", 1)), 511);
}

/* JOURNAL_STREAM of a stream that is no longer ours: lines go to stderr. */
static void test_stale_journal_stream(void **state)
{
	static const char *const values[] = {"1:1", "", "x", "99999999999999999999:1", ":"};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		setenv("JOURNAL_STREAM", values[i], 1);
		log_init("test");
		capture_begin();
		log_write(NULL, LOG_LEVEL_INFO, "here", NULL);
		capture_end();
		expect_text(values[i], after_stamp(), "info here\n");
	}
	unsetenv("JOURNAL_STREAM");
}

/* A stream that is the journal's: the line goes there, with its pairs, and not to stderr. */
static void test_journal_stream(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	capture_begin();
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("mirach-test-log");
	log_write(NULL, LOG_LEVEL_DEBUG, "written by a unit test", "odd-key.1", "two\nlines", NULL);
	capture_end();
	unsetenv("JOURNAL_STREAM");
	log_init("test");
	expect_text("stderr", seen, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line),
		cmocka_unit_test(test_the_stamp),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_values_are_quoted),
		cmocka_unit_test(test_control_in_message),
		cmocka_unit_test(test_too_long_is_cut),
		cmocka_unit_test(test_missing_value),
		cmocka_unit_test(test_many_pairs),
		cmocka_unit_test(test_bursts_are_summed_up),
		cmocka_unit_test(test_threads_do_not_mix_lines),
		cmocka_unit_test(test_fmt_turns),
		cmocka_unit_test(test_stale_journal_stream),
		cmocka_unit_test(test_journal_stream),
	};

	return cmocka_run_group_tests_name("log", tests, setup, NULL);
}
