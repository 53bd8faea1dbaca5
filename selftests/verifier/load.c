// SPDX-License-Identifier: BSD-2-Clause
/*
 * load.c - what the running kernel's verifier makes of each program
 *
 *	load OBJECT...      prints:  program  instructions  stack  jited
 *
 * Loads every program of the objects and prints what it cost the verifier to
 * follow it: instructions processed (the kernel gives up at a million), bytes of
 * stack over all its frames (512 at most), bytes of machine code. Nothing is
 * pinned or attached. What the kernel refuses is explained by its own log on
 * stderr.
 *
 * It also runs inside the virtual machine of the matrix, so it needs libbpf and
 * nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_STATS 4		/* a summary, no trace */
#define LOG_TRACE 1		/* every instruction, in the end the one that was refused */
#define LOG_BYTES (16u << 20)
#define LOG_TAIL 2000		/* bytes of a trace that people read */

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

/* "stack depth 96+32": frames of the program and of the functions it calls. */
static unsigned int stack_of_log(const char *log)
{
	const char *pos = strstr(log, "stack depth ");
	unsigned int sum = 0;
	char *end;

	for (pos = pos ? pos + strlen("stack depth ") : ""; *pos; pos = end + 1) {
		sum += strtoul(pos, &end, 10);
		if (*end != '+')
			break;
	}
	return sum;
}

static int print_program(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	size_t log_size;

	if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		return -errno;
	printf("%-24s %8u %6u %8u\n", bpf_program__name(prog), info.verified_insns,
	       stack_of_log(bpf_program__log_buf(prog, &log_size)), info.jited_prog_len);
	return 0;
}

/* The verifier's last words. */
static void print_refusals(const struct bpf_object *obj)
{
	struct bpf_program *prog;
	size_t size;

	bpf_object__for_each_program(prog, obj) {
		const char *log = bpf_program__log_buf(prog, &size);
		size_t len = log ? strnlen(log, size) : 0;

		if (len && !strstr(log, "\nverification time"))
			fprintf(stderr, "%s:\n%s\n", bpf_program__name(prog),
				log + (len > LOG_TAIL ? len - LOG_TAIL : 0));
	}
}

static int prepare(struct bpf_object *obj, unsigned int log_level)
{
	struct bpf_program *prog;
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
		bpf_map__set_pin_path(map, NULL);
	bpf_object__for_each_program(prog, obj) {
		char *log = calloc(1, LOG_BYTES);

		if (!log)
			return -ENOMEM;
		bpf_program__set_log_buf(prog, log, LOG_BYTES);
		bpf_program__set_log_level(prog, log_level);
	}
	return 0;
}

static void release(struct bpf_object *obj)
{
	struct bpf_program *prog;
	size_t log_size;

	bpf_object__for_each_program(prog, obj)
		free((void *)bpf_program__log_buf(prog, &log_size));
	bpf_object__close(obj);
}

static int load(const char *path, unsigned int log_level)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	int err;

	if (!obj)
		return -errno;
	err = prepare(obj, log_level);
	if (!err)
		err = bpf_object__load(obj);
	bpf_object__for_each_program(prog, obj)
		err = err ?: print_program(prog);
	if (err && log_level == LOG_TRACE)
		print_refusals(obj);
	release(obj);
	return err;
}

int main(int argc, char **argv)
{
	int bad = 0;

	libbpf_set_print(quiet);
	for (int i = 1; i < argc; i++) {
		int err = load(argv[i], LOG_STATS);

		if (err) {
			load(argv[i], LOG_TRACE);
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-err));
			bad = 1;
		}
	}
	return bad;
}
