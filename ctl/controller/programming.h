/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * programming.h - which revisions all concerned hosts have, and who is behind
 *
 *	programming_open() ─ changes found ─ programming_close(42)
 *	      each change holds the track:	queued ─► pending at a host ─► sent ─► acknowledged
 *	      nobody holds it any more:		revision 42 is programmed; who waits for it is told
 *
 * A track counts holders, it does not list them: who is behind is only asked when
 * somebody's patience ends (programming_options.missing). What was there when the
 * controller started is one track, too, held by every host until it is in step.
 *
 * A host that stays away does not collect tracks without end: past TRACKS_MAX its
 * oldest ones are lost, and whoever still waits for them is told so.
 *
 * Pure: time is an argument. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lib/clock.h>

#define TRACKS_MAX 1024u
#define ASK_NS (500 * NS_PER_MS)

struct programming;
struct track;

/* A holder's tracks, oldest first. All zero: none. */
struct tracks {
	struct track **v;
	unsigned int n, cap;
};

struct programming_options {
	/* Calls @add for each host that has not acknowledged everything up to @revision's changes. */
	void (*missing)(void *arg, uint64_t revision, void (*add)(void *to, const char *host),
			void *to);
	/*
	 * Somebody's patience has ended: true, if others are asked now who is missing. They have
	 * ASK_NS, then missing() is called with what is known by then. May be NULL.
	 */
	bool (*ask)(void *arg, uint64_t revision);
	void *arg;
};

struct programming *programming_new(const struct programming_options *o);
void programming_free(struct programming *p);	/* waiters are told -ECANCELED */

/* @start_ns: when it was written, for the latency; 0: not to be measured. */
struct track *programming_open(struct programming *p, uint64_t start_ns);
/* All changes of @revision are found, and that is its number. */
void programming_close(struct programming *p, struct track *t, uint64_t revision, uint64_t now_ns);
/* Hosts came that may lack anything up to @revision; who waits for less waits for its track, too. */
void programming_from(struct programming *p, uint64_t revision);
uint64_t programming_revision(const struct programming *p);	/* the newest one closed */

/* Holding. Memory that runs out loses the track. */
void tracks_add(struct programming *p, struct tracks *to, struct track *t, uint64_t now_ns);
void tracks_move(struct programming *p, struct tracks *to, struct tracks *from, uint64_t now_ns);
void tracks_release(struct programming *p, struct tracks *t, uint64_t now_ns);
/* Lets go of what did not come about: @err is what waiters are told, 0 as if it had. */
void tracks_end(struct programming *p, struct tracks *t, int err, uint64_t now_ns);
bool tracks_hold(const struct tracks *t, uint64_t revision);
/* Hands @t over to another holder. */
void tracks_take(struct tracks *to, struct tracks *from);

/*
 * Waits for the hosts that @revision's own changes concern; _all: for everybody who lacks
 * anything up to it.
 * Calls @fn once: @err 0: every concerned host has it. -ETIMEDOUT: those that have
 * not are @missing[0..n). -EIO: a host was away for so long that nobody knows.
 * -ESTALE: a host is another leader's since, who is to be asked. -ECANCELED: the controller stops.
 */
struct programming_wait;
typedef void (*programming_fn)(void *arg, int err, const char *const *missing, unsigned int n);
struct programming_wait *programming_wait(struct programming *p, uint64_t revision,
					  uint64_t deadline_ns, programming_fn fn, void *arg);
struct programming_wait *programming_wait_all(struct programming *p, uint64_t revision,
					      uint64_t deadline_ns, programming_fn fn, void *arg);
void programming_wait_cancel(struct programming *p, struct programming_wait *w);	/* @fn is not called */
/* Calls @add for each host of whom it is not known that it has @revision; for some twice. */
void programming_missing(struct programming *p, uint64_t revision,
			 void (*add)(void *to, const char *host), void *to);
/* Ends waits whose deadline has passed. Returns the next deadline, UINT64_MAX: none. */
uint64_t programming_tick(struct programming *p, uint64_t now_ns);

struct programming_stats {
	uint64_t programmed;		/* revisions, with at least one concerned host */
	unsigned int under_way, waiting;
	uint64_t p50_ns, p99_ns, max_ns;	/* write to last acknowledgement, of the last 4096 */
};
struct programming_stats programming_stats(const struct programming *p);
