// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_etcd.c - any bytes as an answer of etcd's
 *
 * First byte: what was asked, and whether HTTP said 200; the rest: the answer.
 * Either it is refused with a sentence, or keys are texts of the length the store
 * allows, values end with a NUL, numbers are not negative and events of a watch
 * come in order.
 */
#include <ctl/controller/store_etcd_json.h>

#include <selftests/fuzz/fuzz.h>

static void check_events(const struct etcd_answer *a, bool ordered)
{
	int64_t last = 0;

	for (unsigned int i = 0; i < a->n; i++) {
		const struct store_kv *kv = &a->events[i].kv;

		FUZZ_CHECK(*kv->key && strlen(kv->key) <= STORE_KEY_MAX);
		FUZZ_CHECK(kv->value[kv->value_len] == '\0');
		FUZZ_CHECK(kv->create_revision >= 0 && kv->mod_revision >= 0 && kv->lease >= 0);
		FUZZ_CHECK(!a->events[i].del || !kv->create_revision);
		FUZZ_CHECK(!ordered || kv->mod_revision >= last);
		last = kv->mod_revision;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct etcd_answer a;
	struct error e = {};
	enum etcd_kind kind;
	int status, err;
	char *text;

	if (!size)
		return 0;
	kind = data[0] % 4;
	status = data[0] & 4 ? 503 : 200;
	text = exact_copy(data + 1, size - 1);
	err = etcd_parse(kind, status, text, size - 1, &a, &e);
	FUZZ_CHECK(err ? e.err == err && *e.text : status == 200);
	FUZZ_CHECK(a.revision >= 0 && a.lease >= 0 && a.ttl_s >= 0 && a.compact_revision >= 0);
	check_events(&a, kind == ETCD_WATCH);
	etcd_answer_done(&a);
	free(text);
	return 0;
}
