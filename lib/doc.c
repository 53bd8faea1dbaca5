// SPDX-License-Identifier: BSD-2-Clause
/*
 * doc.c - a YAML or JSON file as a tree that remembers its lines
 *
 *	bytes --libyaml--> events --builder--> tree
 *
 * The builder keeps a stack of open lists and maps. In a map, a scalar is a key
 * if none is pending, and names the next value otherwise. A key given twice is
 * found by sorting when the map closes, so a map of a million keys costs no more
 * per key than a small one.
 *
 * Every event is judged by one function, named in a table by event type.
 */
#include <lib/doc.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

struct builder {
	const char *name;			/* of the file, for messages */
	struct error *error;
	struct doc *root;
	struct doc *open[DOC_DEPTH_MAX];	/* lists and maps not closed yet, outermost first */
	unsigned int depth;
	char *key;				/* waits for its value in open[depth - 1] */
	int key_line;
	unsigned int n_nodes;
	unsigned int n_documents;
	bool many;				/* documents; else there is one */
	bool whole;				/* one of many is, in root */
	bool done;
};

struct doc_reader {
	struct builder b;
	yaml_parser_t parser;
	const char *text;
	size_t len;
};

/* Frees depth first; the depth is bounded by DOC_DEPTH_MAX. */
void doc_free(struct doc *doc)
{
	struct doc *child, *next;

	if (!doc)
		return;
	for (child = doc->first; child; child = next) {
		next = child->next;
		doc_free(child);
	}
	free(doc->key);
	free(doc->text);
	free(doc);
}

const struct doc *doc_find(const struct doc *map, const char *key)
{
	if (map->kind != DOC_MAP)
		return NULL;
	for (const struct doc *child = map->first; child; child = child->next) {
		if (!strcmp(child->key, key))
			return child;
	}
	return NULL;
}

const char *doc_kind_name(enum doc_kind kind)
{
	static const char *const names[] = {
		[DOC_NULL] = "nothing",
		[DOC_SCALAR] = "a single value",
		[DOC_LIST] = "a list",
		[DOC_MAP] = "a map",
	};

	return names[kind];
}

const char *doc_show(const char *text, char *buf, size_t len)
{
	size_t i;

	for (i = 0; text[i] && i < len - 1; i++)
		buf[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	while (i && ((unsigned char)text[i] & 0xc0) == 0x80)
		i--;				/* not inside a UTF-8 character */
	buf[i] = '\0';
	return buf;
}

static int refuse(struct builder *b, const yaml_event_t *event, const char *what)
{
	return error_set(b->error, -EBADMSG, "%s:%zu: %s", b->name, event->start_mark.line + 1,
			 what);
}

static int refuse_size(struct builder *b, int line, const char *what, unsigned int max)
{
	return error_set(b->error, -EFBIG, "%s:%d: more than %u %s", b->name, line, max, what);
}

static int out_of_memory(struct builder *b)
{
	return error_set(b->error, -ENOMEM, "%s: no memory", b->name);
}

/* Hangs @node where the document goes on: under the open container, or as the root. */
static void attach(struct builder *b, struct doc *node)
{
	struct doc *parent = b->depth ? b->open[b->depth - 1] : NULL;

	if (b->key) {
		node->key = b->key;
		node->line = b->key_line;
		b->key = NULL;
	}
	if (!parent) {
		b->root = node;
		return;
	}
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->n++;
}

static int add_node(struct builder *b, const yaml_event_t *event, enum doc_kind kind,
		    struct doc **ret)
{
	int line = event->start_mark.line + 1;
	struct doc *node;

	if (b->n_nodes++ >= DOC_NODES_MAX)
		return refuse_size(b, line, "values", DOC_NODES_MAX);
	node = calloc(1, sizeof(*node));
	if (!node)
		return out_of_memory(b);
	node->kind = kind;
	node->line = line;
	attach(b, node);
	*ret = node;
	return 0;
}

static bool expects_key(const struct builder *b)
{
	return b->depth && b->open[b->depth - 1]->kind == DOC_MAP && !b->key;
}

static bool is_null(const char *text, bool quoted)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	for (size_t i = 0; !quoted && i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		if (!strcmp(text, nulls[i]))
			return true;
	}
	return false;
}

static int add_scalar(struct builder *b, const yaml_event_t *event)
{
	bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	const char *value = (const char *)event->data.scalar.value;
	struct doc *node;
	char *text;
	int err;

	if (event->data.scalar.anchor)
		return refuse(b, event, "anchors (&name) are not supported; write the value out");
	if (event->data.scalar.tag)
		return refuse(b, event, "tags (!name) are not supported; write the plain value");
	if (strlen(value) != event->data.scalar.length)
		return refuse(b, event, "NUL character in a value");
	text = strdup(value);
	if (!text)
		return out_of_memory(b);
	if (expects_key(b)) {
		b->key = text;
		b->key_line = event->start_mark.line + 1;
		return 0;
	}
	err = add_node(b, event, is_null(text, quoted) ? DOC_NULL : DOC_SCALAR, &node);
	if (err) {
		free(text);
		return err;
	}
	node->text = text;
	node->quoted = quoted;
	return 0;
}

static int open_container(struct builder *b, const yaml_event_t *event, enum doc_kind kind)
{
	struct doc *node;
	int err;

	if (expects_key(b))
		return refuse(b, event, "a key must be a single value, not a list or a map");
	if (b->depth == DOC_DEPTH_MAX)
		return refuse_size(b, event->start_mark.line + 1, "levels of nesting",
				   DOC_DEPTH_MAX);
	err = add_node(b, event, kind, &node);
	if (err)
		return err;
	b->open[b->depth++] = node;
	return 0;
}

static int open_list(struct builder *b, const yaml_event_t *event)
{
	if (event->data.sequence_start.anchor)
		return refuse(b, event, "anchors (&name) are not supported; write the list out");
	if (event->data.sequence_start.tag)
		return refuse(b, event, "tags (!name) are not supported; write the plain list");
	return open_container(b, event, DOC_LIST);
}

static int open_map(struct builder *b, const yaml_event_t *event)
{
	if (event->data.mapping_start.anchor)
		return refuse(b, event, "anchors (&name) are not supported; write the map out");
	if (event->data.mapping_start.tag)
		return refuse(b, event, "tags (!name) are not supported; write the plain map");
	return open_container(b, event, DOC_MAP);
}

static int close_list(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	b->depth--;
	return 0;
}

static int by_key_then_line(const void *a, const void *b)
{
	const struct doc *x = *(const struct doc *const *)a, *y = *(const struct doc *const *)b;
	int order = strcmp(x->key, y->key);

	return order ? order : x->line - y->line;
}

static int check_keys(struct builder *b, const struct doc **sorted, const struct doc *map)
{
	unsigned int n = 0;
	char key[64];

	for (const struct doc *child = map->first; child; child = child->next)
		sorted[n++] = child;
	qsort(sorted, n, sizeof(*sorted), by_key_then_line);
	for (unsigned int i = 1; i < n; i++) {
		if (!strcmp(sorted[i - 1]->key, sorted[i]->key))
			return error_set(b->error, -EBADMSG,
					 "%s:%d: key \"%s\" is given twice, first in line %d",
					 b->name, sorted[i]->line,
					 doc_show(sorted[i]->key, key, sizeof(key)),
					 sorted[i - 1]->line);
	}
	return 0;
}

static int close_map(struct builder *b, const yaml_event_t *event)
{
	const struct doc *map = b->open[--b->depth];
	const struct doc **sorted;
	int err;

	(void)event;
	if (map->n < 2)
		return 0;
	sorted = reallocarray(NULL, map->n, sizeof(*sorted));
	if (!sorted)
		return out_of_memory(b);
	err = check_keys(b, sorted, map);
	free(sorted);
	return err;
}

static int refuse_alias(struct builder *b, const yaml_event_t *event)
{
	return refuse(b, event, "aliases (*name) are not supported; write the value out");
}

static int open_document(struct builder *b, const yaml_event_t *event)
{
	if (b->n_documents++ && !b->many)
		return refuse(b, event, "a second document begins here; a file holds one");
	return 0;
}

/* Where there may be many, each is handed on, but for those without anything. */
static int close_document(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	if (!b->many)
		return 0;
	b->n_nodes = 0;
	b->whole = b->root->kind != DOC_NULL;
	if (b->whole)
		return 0;
	b->n_documents--;
	doc_free(b->root);
	b->root = NULL;
	return 0;
}

static int pass(struct builder *b, const yaml_event_t *event)
{
	(void)event;
	(void)b;
	return 0;
}

static int finish(struct builder *b, const yaml_event_t *event)
{
	b->done = true;
	if (b->many ? !b->n_documents : !b->root || b->root->kind == DOC_NULL)
		return refuse(b, event, "the file is empty");
	return 0;
}

static int (*const handlers[])(struct builder *b, const yaml_event_t *event) = {
	[YAML_NO_EVENT] = pass,
	[YAML_STREAM_START_EVENT] = pass,
	[YAML_STREAM_END_EVENT] = finish,
	[YAML_DOCUMENT_START_EVENT] = open_document,
	[YAML_DOCUMENT_END_EVENT] = close_document,
	[YAML_ALIAS_EVENT] = refuse_alias,
	[YAML_SCALAR_EVENT] = add_scalar,
	[YAML_SEQUENCE_START_EVENT] = open_list,
	[YAML_SEQUENCE_END_EVENT] = close_list,
	[YAML_MAPPING_START_EVENT] = open_map,
	[YAML_MAPPING_END_EVENT] = close_map,
};

/* Line of byte @offset, for faults that libyaml places by byte only. */
static size_t line_of(const char *text, size_t len, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < len && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static int parser_error(struct builder *b, const yaml_parser_t *parser, const char *text,
			size_t len)
{
	const char *problem = parser->problem ? parser->problem : "cannot be read";

	if (parser->error == YAML_MEMORY_ERROR)
		return out_of_memory(b);
	if (parser->error == YAML_READER_ERROR)
		return error_set(b->error, -EBADMSG, "%s:%zu: not UTF-8 text at byte %zu: %s",
				 b->name, line_of(text, len, parser->problem_offset),
				 parser->problem_offset, problem);
	return error_set(b->error, -EBADMSG, "%s:%zu: not YAML: %s%s%s", b->name,
			 parser->problem_mark.line + 1, problem, parser->context ? " " : "",
			 parser->context ? parser->context : "");
}

/* At most *@n events, until the end or a whole document. */
static int build(struct doc_reader *r, unsigned int *n)
{
	struct builder *b = &r->b;
	int err = 0;

	while (!err && !b->done && !b->whole && *n) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return parser_error(b, &r->parser, r->text, r->len);
		err = handlers[event.type](b, &event);
		yaml_event_delete(&event);
		--*n;
	}
	return err;
}

static int reader_init(struct doc_reader *r, bool many, const char *name, const char *text,
		       size_t len, struct error *e)
{
	static const char bom[] = "\xef\xbb\xbf";

	*r = (struct doc_reader){ .b = { .name = name, .error = e, .many = many } };
	if (len > DOC_SIZE_MAX)
		return error_set(e, -EFBIG, "%s: larger than %u bytes", name, DOC_SIZE_MAX);
	if (len >= 3 && !memcmp(text, bom, 3)) {
		text += 3;
		len -= 3;
	}
	if (!yaml_parser_initialize(&r->parser))
		return out_of_memory(&r->b);
	r->text = text;
	r->len = len;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	return 0;
}

static void reader_done(struct doc_reader *r)
{
	yaml_parser_delete(&r->parser);
	free(r->b.key);
	doc_free(r->b.root);
}

int doc_parse(const char *name, const char *text, size_t len, struct doc **ret, struct error *e)
{
	unsigned int all = UINT_MAX;
	struct doc_reader r;
	int err = reader_init(&r, false, name, text, len, e);

	if (err)
		return err;
	err = build(&r, &all);
	if (!err) {
		*ret = r.b.root;
		r.b.root = NULL;
	}
	reader_done(&r);
	return err;
}

int doc_reader_new(const char *name, const char *text, size_t len, struct doc_reader **ret,
		   struct error *e)
{
	struct doc_reader *r = malloc(sizeof(*r));
	int err = r ? reader_init(r, true, name, text, len, e) :
		      error_set(e, -ENOMEM, "%s: no memory", name);

	if (err)
		free(r);
	else
		*ret = r;
	return err;
}

int doc_reader_next(struct doc_reader *r, unsigned int *n, struct doc **ret, struct error *e)
{
	int err;

	r->b.error = e;
	err = build(r, n);
	*ret = NULL;
	if (!err && r->b.whole) {
		*ret = r->b.root;
		r->b.root = NULL;
		r->b.whole = false;
	}
	return err ?: !r->b.done;
}

void doc_reader_free(struct doc_reader *r)
{
	if (!r)
		return;
	reader_done(r);
	free(r);
}

int doc_parse_each(const char *name, const char *text, size_t len,
		   int (*each)(void *arg, const struct doc *doc), void *arg, struct error *e)
{
	struct doc_reader *r;
	struct doc *doc;
	int err = doc_reader_new(name, text, len, &r, e), more;

	if (err)
		return err;
	do {
		unsigned int all = UINT_MAX;

		more = doc_reader_next(r, &all, &doc, e);
		err = doc ? each(arg, doc) : 0;
		doc_free(doc);
	} while (more > 0 && !err);
	doc_reader_free(r);
	return err ?: more;
}

/* Reads on until the file ends or @len exceeds the limit, so that the caller sees it is too large. */
static int read_whole(int fd, char **text, size_t *len)
{
	size_t cap = 0;
	ssize_t n;

	do {
		if (*len == cap) {
			char *bigger = realloc(*text, cap = cap ? cap * 2 : 65536);

			if (!bigger)
				return -ENOMEM;
			*text = bigger;
		}
		n = read(fd, *text + *len, cap - *len);
		if (n < 0 && errno != EINTR)
			return -errno;
		*len += n > 0 ? n : 0;
	} while (n && *len <= DOC_SIZE_MAX);
	return 0;
}

int doc_load(const char *path, struct doc **ret, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	char *text = NULL;
	size_t len = 0;

	if (fd < 0)
		return error_set(e, -errno, "%s: cannot open: %s", path, strerror(errno));
	err = read_whole(fd, &text, &len);
	close(fd);
	if (err)
		error_set(e, err, "%s: cannot read: %s", path, strerror(-err));
	else
		err = doc_parse(path, text, len, ret, e);
	free(text);
	return err;
}
