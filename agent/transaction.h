/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transaction.h - one change of the host's objects, as it comes in frames
 *
 *	{"msg":"update","seq":7,"revision":1234,"set":[...],"del":[...],"more":true}
 *	{"msg":"update","seq":7,"revision":1234,"set":[...],"more":false}     whole now
 *
 * What is wrong with an object spoils the transaction, not the session: it is read to its
 * end and then answered with an error that names the object. What is wrong with the frames
 * themselves (an older transaction's number in between, no numbers at all) says that the two
 * sides do not understand each other, and ends the session.
 *
 * A newer transaction in the middle of one says that the leader who began that one is gone:
 * it is dropped, as if it had never come, and the next leader's begins.
 *
 * Pure. See also: state.h, docs/protocol.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/object.h>

#define TRANSACTION_STEPS_MAX (4u << 20)

/* One of the two. */
struct transaction_step {
	struct object *set;
	char *del;
};

struct transaction {
	struct transaction *next;	/* for whoever queues them */
	uint64_t session;		/* likewise: whom the outcome is told */
	uint64_t seq, revision;
	struct transaction_step *steps;	/* in order */
	unsigned int n_steps, cap_steps;
	bool whole;
	struct error bad;		/* err 0: every object was good */
	char bad_id[OBJECT_ID_MAX + 1];	/* "" if it has none */
};

/*
 * Adds a frame; *@t is NULL before the first. -EBADMSG: the session is to end, *@t is what
 * it was. -ENOMEM.
 */
int transaction_add(struct transaction **t, const cJSON *frame, struct error *e);
void transaction_free(struct transaction *t);	/* NULL is allowed */
