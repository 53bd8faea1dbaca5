// SPDX-License-Identifier: BSD-2-Clause
/*
 * files.c - documents from files, folders or standard input, and where each stood
 */
#include <ctl/cli/files.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lib/doc_json.h>

struct loading {
	struct documents *to;
	const char *file;
};

static void note_places(FILE *out, const struct doc *d, const char *path)
{
	char inner[512];
	unsigned int i = 0;

	if (*path)
		fprintf(out, "%d %s\n", d->line, path);
	for (const struct doc *child = d->first; child; child = child->next, i++) {
		if (d->kind == DOC_MAP)
			snprintf(inner, sizeof(inner), "%s%s%s", path, *path ? "." : "", child->key);
		else
			snprintf(inner, sizeof(inner), "%s[%u]", path, i);
		note_places(out, child, inner);
	}
}

static int add(struct loading *l, const struct doc *doc)
{
	struct document *bigger = reallocarray(l->to->v, l->to->n + 1, sizeof(*bigger)), *d;
	FILE *out;
	size_t len;

	if (!bigger)
		return -ENOMEM;
	l->to->v = bigger;
	d = &l->to->v[l->to->n++];
	*d = (struct document){ .line = doc->line };
	d->file = strdup(l->file);
	d->json = doc_to_json(doc);
	out = open_memstream(&d->places, &len);
	if (!out || !d->json || !d->file)
		return -ENOMEM;
	note_places(out, doc, "");
	fclose(out);
	return 0;
}

static int add_document(void *arg, const struct doc *doc)
{
	int err = 0;

	if (doc->kind != DOC_LIST)
		return add(arg, doc);
	for (const struct doc *child = doc->first; child && !err; child = child->next)
		err = add(arg, child);
	return err;
}

static int load_stream(FILE *in, const char *name, struct documents *ret, struct error *e)
{
	struct loading l = { .to = ret, .file = name };
	char *text = NULL;
	size_t len = 0, cap = 0, n;
	int err;

	do {
		if (len == cap) {
			char *bigger = realloc(text, cap = cap ? cap * 2 : 65536);

			if (!bigger) {
				free(text);
				return error_set(e, -ENOMEM, "no memory");
			}
			text = bigger;
		}
		n = fread(text + len, 1, cap - len, in);
		len += n;
	} while (n && len <= DOC_SIZE_MAX);
	err = doc_parse_each(name, text, len, add_document, &l, e);
	free(text);
	return err;
}

static int load_file(const char *path, struct documents *ret, struct error *e)
{
	FILE *in = fopen(path, "re");
	int err;

	if (!in)
		return error_set(e, -errno, "%s: cannot open: %s", path, strerror(errno));
	err = load_stream(in, path, ret, e);
	fclose(in);
	return err;
}

static int is_document(const struct dirent *entry)
{
	static const char *const endings[] = { ".yaml", ".yml", ".json" };
	size_t len = strlen(entry->d_name);

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t n = strlen(endings[i]);

		if (len > n && entry->d_name[0] != '.' && !strcmp(entry->d_name + len - n, endings[i]))
			return 1;
	}
	return 0;
}

static int load_folder(const char *path, struct documents *ret, struct error *e)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_document, alphasort), err = 0;
	char file[4096];

	if (n < 0)
		return error_set(e, -errno, "%s: cannot read: %s", path, strerror(errno));
	if (!n)
		err = error_set(e, -ENOENT, "%s: holds no *.yaml, *.yml or *.json", path);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (!err)
			err = load_file(file, ret, e);
		free(entries[i]);
	}
	free(entries);
	return err;
}

int documents_load(const char *path, struct documents *ret, struct error *e)
{
	struct stat st;
	int err;

	*ret = (struct documents){};
	if (!strcmp(path, "-"))
		err = load_stream(stdin, "standard input", ret, e);
	else if (!stat(path, &st) && S_ISDIR(st.st_mode))
		err = load_folder(path, ret, e);
	else
		err = load_file(path, ret, e);
	if (err)
		documents_free(ret);
	return err;
}

void documents_free(struct documents *d)
{
	for (unsigned int i = 0; i < d->n; i++) {
		free(d->v[i].file);
		free(d->v[i].places);
		cJSON_Delete(d->v[i].json);
	}
	free(d->v);
	*d = (struct documents){};
}

char *documents_text(const struct documents *d)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (unsigned int i = 0; i < d->n; i++) {
		char *one = cJSON_PrintUnformatted(d->v[i].json);

		fprintf(out, "---\n%s\n", one ?: "");
		free(one);
	}
	fclose(out);
	return text;
}

int document_line(const struct document *d, const char *field)
{
	int best = d->line, line, at;
	size_t best_len = 0;

	for (const char *p = d->places; p && *p; p = strchr(p, '\n') + 1) {
		size_t len;

		if (sscanf(p, "%d %n", &line, &at) != 1)
			continue;
		len = strcspn(p + at, "\n");
		if (len > best_len && !strncmp(p + at, field, len) &&
		    (!field[len] || strchr(".[", field[len]))) {
			best = line;
			best_len = len;
		}
	}
	return best;
}
