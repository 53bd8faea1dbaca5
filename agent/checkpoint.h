/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checkpoint.h - the last state that was in force, on disk
 *
 *	{"mirach":"checkpoint","version":1,"host":"host-a","revision":1234}
 *	{"object":{"id":"network/acme.web","v":"...","spec":{...}}}
 *	{"binding":{"instance":"acme.web-1","device":"tap3"}}
 *	{"lines":3,"xxh3":"<32 hex digits: XXH3-128 of all lines before>"}
 *
 * A line each, so that people and jq can read it. It is taken as a whole or not at all:
 * a file that is cut short, changed, of another host or of a later version is refused
 * with a reason and set aside, never half used.
 *
 * Writing is off the main loop: a thread makes the text piece by piece, so that a
 * million objects need neither the loop's time nor memory of their size, writes it
 * beside the old file, syncs it, puts it in its place and syncs the directory. Whenever
 * the machine stops, one whole file is there. One is written at a time; what changes
 * meanwhile is in the next.
 *
 * Reading and making are pure. See also: state.h (what is in it, and when),
 * docs/operations.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <lib/error.h>

#define CHECKPOINT_VERSION 1
#define CHECKPOINT_SIZE_MAX (1ull << 30)

/* Making. */
struct checkpoint_text {
	char *buf;
	size_t len, cap;
	uint64_t lines;
	struct XXH3_state_s *hash;	/* of what has been taken out of the buffer */
	bool failed;			/* no memory: the text is not whole */
};

void checkpoint_begin(struct checkpoint_text *t, const char *host, uint64_t revision);
/* @spec: JSON text on one line. */
void checkpoint_object(struct checkpoint_text *t, const char *id, const char *v, const char *spec);
void checkpoint_binding(struct checkpoint_text *t, const cJSON *binding);
int checkpoint_end(struct checkpoint_text *t);	/* -ENOMEM: it is not whole */
/* What is in the buffer has been read by somebody; the text goes on in an empty one. */
void checkpoint_taken(struct checkpoint_text *t);
void checkpoint_text_done(struct checkpoint_text *t);

/* Reading: @fn gets every object and binding, only if the file as a whole is good. */
struct checkpoint_reader {
	int (*object)(const cJSON *object, void *arg, struct error *e);
	int (*binding)(const cJSON *binding, void *arg, struct error *e);
	void *arg;
};

/* -EBADMSG: broken; -ENOTSUP: a later version; -EXDEV: another host's; or what @r's functions return. */
int checkpoint_parse(const char *name, const char *text, size_t len, const char *host,
		     const struct checkpoint_reader *r, uint64_t *ret_revision, struct error *e);
/* The same from a file. -ENOENT: there is none. */
int checkpoint_load(const char *path, const char *host, const struct checkpoint_reader *r,
		    uint64_t *ret_revision, struct error *e);
/* Renames a refused file to PATH.refused. */
void checkpoint_set_aside(const char *path);

/* Writing. */
struct event_base;
struct checkpoint_writer;

typedef void (*checkpoint_written_fn)(const struct error *e, uint64_t took_ns, void *arg);

/* @written is called on @base's loop; e->err 0: it is on disk. Makes the directory. */
int checkpoint_writer_new(struct event_base *base, const char *path, checkpoint_written_fn written,
			  void *arg, struct checkpoint_writer **ret, struct error *e);
void checkpoint_writer_free(struct checkpoint_writer *w);	/* waits for a write under way */
bool checkpoint_writer_busy(const struct checkpoint_writer *w);
/*
 * Takes over the text, which has been begun. @more is called on the thread, again and
 * again, to add a piece of the rest; false: that was the last. NULL: there is no more.
 * The end is added then. Not while the writer is busy.
 */
void checkpoint_write(struct checkpoint_writer *w, struct checkpoint_text *t,
		      bool (*more)(struct checkpoint_text *t, void *arg), void *arg);
