/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_checkpoint.c - any bytes as a checkpoint, and any lines behind a good checksum
 *
 *	bytes               ─► refused, or every line of it read
 *	bytes + a good tail ─► objects and bindings of any shape, a configuration or mistakes
 *
 * The second way gets behind the checksum, which a fuzzer would never guess.
 */
#include <agent/checkpoint.h>

#include <inttypes.h>

#include <xxhash.h>

#include <agent/object_set.h>
#include <agent/state_config.h>
#include <selftests/fuzz/fuzz.h>

struct loaded {
	struct object_set *set;
	struct bindings bindings;
};

static int load_object(const cJSON *json, void *arg, struct error *e)
{
	struct loaded *l = arg;
	struct object *o;
	int err = object_new(json, &o, e);

	if (err)
		return err;
	FUZZ_CHECK(object_id_valid(o->id) && !o->spec == !!o->endpoint);
	FUZZ_CHECK(!object_set_add(l->set, o));
	object_put(o);
	return 0;
}

static int load_binding(const cJSON *json, void *arg, struct error *e)
{
	struct loaded *l = arg;

	return bindings_set_json(&l->bindings, json, e);
}

static void build(struct loaded *l)
{
	struct state_parts parts = { .host = "host-a", .bindings = &l->bindings };
	struct config *config = NULL;
	struct state_blame blame;
	struct error e = {};

	parts.objects = object_set_config(l->set, &parts.n_objects);
	if (state_config(&parts, &config, &blame, &e))
		FUZZ_CHECK(!config && e.err && *e.text);
	else
		config_free(config);
}

static void parse(const char *text, size_t len)
{
	struct loaded l = { .set = object_set_new() };
	const struct checkpoint_reader r = { load_object, load_binding, &l };
	uint64_t revision;
	struct error e = {};
	int err = checkpoint_parse("fuzz", text, len, "host-a", &r, &revision, &e);

	FUZZ_CHECK(!err || (e.err == err && *e.text));
	if (err)
		object_set_rollback(l.set);
	FUZZ_CHECK(!err || !object_set_digest(l.set)->count);
	build(&l);
	build(&l);			/* trees are whole after a reading */
	bindings_done(&l.bindings);
	object_set_free(l.set);
}

/* @data as lines between a good head and a good tail. */
static void parse_sealed(const uint8_t *data, size_t size)
{
	static const char head[] = "{\"mirach\":\"checkpoint\",\"version\":1,\"host\":\"host-a\","
				   "\"revision\":1}\n";
	size_t len = sizeof(head) - 1, lines = 2;
	char *text = malloc(len + size + 200);
	XXH128_hash_t h;

	memcpy(text, head, len);
	memcpy(text + len, data, size);
	len += size;
	text[len++] = '\n';
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	h = XXH3_128bits(text, len);
	len += sprintf(text + len, "{\"lines\":%zu,\"xxh3\":\"%016" PRIx64 "%016" PRIx64 "\"}\n", lines,
		       (uint64_t)h.high64, (uint64_t)h.low64);
	parse(text, len);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = exact_copy(data, size);

	parse(copy, size);
	free(copy);
	parse_sealed(data, size);
	return 0;
}
