/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * validate.h - is the whole still right after this transaction, and what does it become
 *
 *	documents ──► changes ──validate()──► problems, all of them
 *	                               └────► changes with all that is allocated filled in
 *
 * The transaction is done to the set, everything it may have broken is looked at,
 * what is missing is allocated, and then it is undone: on return the set is as it
 * was, whatever came out. The cost follows the change: an object that changed and
 * those that refer to it are looked at, nobody else.
 *
 * Allocation depends on nothing but the set and the object's name: a place is tried
 * that comes from a hash of the name, then the next one, until one is free. So any
 * controller comes to the same, an object deleted and declared again mostly gets what
 * it had, and what somebody else just gave up is seldom the next to be given away.
 * VNIs go round instead, from one transaction to the next: one that was given up is the
 * last to be given away, when no host can still know it as the old network's.
 * What was allocated is part of the stored object; applying it again keeps it.
 *
 * Pure: no I/O, no clock. See also: docs/model.md.
 */
#pragma once

#include <ctl/controller/model_set.h>

enum outcome { OUTCOME_CREATED, OUTCOME_UPDATED, OUTCOME_UNCHANGED, OUTCOME_DELETED };

struct change {
	struct object *object;		/* as it shall be; to delete: kind, tenant, name, revision */
	bool del;
	int document, line;		/* for problems */
	uint32_t given;			/* fields the document gave, by their place in the table */
	unsigned int n_addresses;	/* of those, an instance's addresses */
	/* Found by validate(), which may be asked again, of another set: */
	enum outcome outcome;
	char *text;			/* created or updated: as it is to be stored */
	uint64_t old_revision;		/* of what it replaces; 0: nothing */
};

struct changes {
	struct change *v;
	unsigned int n;
	uint64_t vni_next;		/* found by validate(): options.vni_next behind this transaction */
};

/* Takes over @o, also on -ENOMEM. */
int changes_add(struct changes *c, struct object *o, bool del, int document, int line);
void changes_free(struct changes *c);

struct validate_options {
	const char *writer;		/* the tenant who writes; NULL: the operator */
	uint64_t vni_min, vni_max;	/* to allocate from */
	uint64_t vni_next;		/* the first to try; outside of the range: vni_min */
};

/*
 * 0; -ESTALE: an object is at another revision than the one given (o.revision not 0);
 * -EINVAL: the whole would not be right. Problems say what.
 */
int validate(struct model_set *s, struct changes *c, const struct validate_options *options,
	     struct problems *p);

/* How far a transaction has been judged; begins as zero. */
struct validate_progress {
	unsigned int prepared, settled;		/* changes */
	bool stale, judged;
	uint64_t generation;			/* of the set that they were prepared for */
};

/*
 * The same in steps of @n changes, so that others get their turns between them. 1: call
 * again. Only judging the whole, a fifth of the work, is one step. -EAGAIN: the set
 * changed before that; begin anew.
 */
int validate_some(struct model_set *s, struct changes *c, const struct validate_options *options,
		  struct problems *p, struct validate_progress *at, unsigned int n);
