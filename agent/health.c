// SPDX-License-Identifier: BSD-2-Clause
/*
 * health.c - is a hoverboard there; the rules are in health.h
 */
#include <agent/health.h>

#include <string.h>

#include <lib/clock.h>

static void transition(struct health *h, bool up, uint64_t now_ns)
{
	h->up = up;
	h->since_ns = now_ns;
	h->changes++;
	h->answers = 0;
}

void health_init(struct health *h, uint64_t now_ns)
{
	*h = (struct health){ .up = true, .due_ns = now_ns, .since_ns = now_ns };
}

bool health_silent(const struct health *h)
{
	return h->up && h->may_be_silent && !h->heard;
}

bool health_tick(struct health *h, uint64_t now_ns, uint32_t random)
{
	uint64_t gap;

	if (now_ns < h->due_ns)
		return false;
	if (h->unanswered >= HEALTH_MISSES) {
		h->answers = 0;
		if (h->up && !health_silent(h))
			transition(h, false, now_ns);
	}
	gap = (h->up && !health_silent(h) ? HEALTH_ASK_MS : HEALTH_ASK_DOWN_MS) * NS_PER_MS;
	h->due_ns = now_ns + gap - (gap / 4) * (random >> 16) / 65536;
	h->unanswered++;
	return true;
}

void health_answer(struct health *h, uint64_t now_ns)
{
	h->unanswered = 0;
	h->heard = true;
	if (h->up)
		return;
	h->answers++;
	if (h->answers >= HEALTH_ANSWERS)
		transition(h, true, now_ns);
	else
		h->due_ns = now_ns;	/* ask for the next one at once */
}

void health_question(struct bfd_header *ret, __be32 mine, __be32 theirs)
{
	*ret = (struct bfd_header){
		.version_diag = BFD_VERSION << 5,
		.state_flags = BFD_STATE_UP | BFD_DEMAND,
		.detect_mult = HEALTH_MISSES,
		.len = sizeof(*ret),
		.my_discriminator = mine,
		.your_discriminator = theirs,
		.min_tx = wire32(HEALTH_ASK_MS * 1000),
	};
}

/* RFC 7880 section 7.3.3. Our own question, come back as it was, has Demand set and is no answer. */
bool health_is_answer(const void *bytes, size_t len, __be32 mine, __be32 theirs)
{
	struct bfd_header bfd;

	if (len < sizeof(bfd))
		return false;
	memcpy(&bfd, bytes, sizeof(bfd));
	return bfd.version_diag >> 5 == BFD_VERSION && bfd.len == sizeof(bfd) &&
	       (bfd.state_flags & BFD_STATE_MASK) == BFD_STATE_UP &&
	       !(bfd.state_flags & (BFD_DEMAND | BFD_AUTH)) &&
	       bfd.my_discriminator == theirs && bfd.your_discriminator == mine;
}
