// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_health.c - what comes back to a question about a hoverboard, as any bytes
 *
 * Only what names both discriminators and is no question itself counts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <agent/health.h>
#include <selftests/fuzz/fuzz.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bfd_header q, bfd;
	uint8_t *bytes = exact_copy(data, size);

	health_question(&q, wire32(1), wire32(2));
	if (health_is_answer(bytes, size, wire32(1), wire32(2))) {
		memcpy(&bfd, bytes, sizeof(bfd));
		FUZZ_CHECK(size >= sizeof(bfd) && bfd.my_discriminator == q.your_discriminator);
		FUZZ_CHECK(bfd.your_discriminator == q.my_discriminator && memcmp(&bfd, &q, sizeof(q)));
	}
	free(bytes);
	return 0;
}
