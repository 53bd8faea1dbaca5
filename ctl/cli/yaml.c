// SPDX-License-Identifier: BSD-2-Clause
/*
 * yaml.c - JSON written as YAML, by libyaml's emitter
 *
 * Lists of plain values stand on one line, everything else in blocks.
 */
#include <ctl/cli/yaml.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <yaml.h>

static void emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
	yaml_emitter_emit(emitter, event);	/* frees the event; errors show as missing output */
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, bool quoted)
{
	yaml_event_t event;

	yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)text, strlen(text), 1, 1,
				     quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE :
					      YAML_PLAIN_SCALAR_STYLE);
	emit(emitter, &event);
}

/* True if plain text would be read as a number, a boolean or nothing. */
static bool needs_quotes(const char *text)
{
	static const char *const words[] = { "", "~", "true", "false", "null", "yes", "no", "on", "off" };
	char *end;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	strtod(text, &end);
	return !*end;
}

static bool is_flat(const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (cJSON_IsObject(item) || cJSON_IsArray(item))
			return false;
	return true;
}

static void emit_value(yaml_emitter_t *emitter, const cJSON *json);

static void emit_list(yaml_emitter_t *emitter, const cJSON *json)
{
	const cJSON *item;
	yaml_event_t event;

	yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, is_flat(json) ?
					     YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
	emit(emitter, &event);
	cJSON_ArrayForEach(item, json)
		emit_value(emitter, item);
	yaml_sequence_end_event_initialize(&event);
	emit(emitter, &event);
}

static void emit_map(yaml_emitter_t *emitter, const cJSON *json)
{
	const cJSON *item;
	yaml_event_t event;

	yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, json->child ?
					    YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE);
	emit(emitter, &event);
	cJSON_ArrayForEach(item, json) {
		emit_scalar(emitter, item->string, needs_quotes(item->string));
		emit_value(emitter, item);
	}
	yaml_mapping_end_event_initialize(&event);
	emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const cJSON *json)
{
	char *text;

	if (cJSON_IsObject(json)) {
		emit_map(emitter, json);
	} else if (cJSON_IsArray(json)) {
		emit_list(emitter, json);
	} else if (cJSON_IsString(json)) {
		emit_scalar(emitter, json->valuestring, needs_quotes(json->valuestring));
	} else {
		text = cJSON_PrintUnformatted(json);
		emit_scalar(emitter, text ?: "null", false);
		free(text);
	}
}

static int write_out(void *out, unsigned char *data, size_t len)
{
	return fwrite(data, 1, len, out) == len;
}

void yaml_print(const cJSON *json, FILE *out)
{
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		return;
	yaml_emitter_set_output(&emitter, write_out, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	emit(&emitter, &event);
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	emit(&emitter, &event);
	emit_value(&emitter, json);
	yaml_document_end_event_initialize(&event, 1);
	emit(&emitter, &event);
	yaml_stream_end_event_initialize(&event);
	emit(&emitter, &event);
	yaml_emitter_flush(&emitter);
	yaml_emitter_delete(&emitter);
}
