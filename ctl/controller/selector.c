// SPDX-License-Identifier: BSD-2-Clause
/*
 * selector.c - which objects a label selector means: "role=web,env!=test,tier,!old"
 *
 * All parts must hold: a label has a value, has another or none, is there, is not.
 */
#include <ctl/controller/api_parts.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 16

struct part {
	const char *key, *value;		/* value NULL: any */
	bool negated;
};

struct selector {
	struct part parts[PARTS_MAX];
	unsigned int n;
	char text[];
};

static int parse_part(char *text, struct part *ret, struct error *e)
{
	char *equals = strchr(text, '=');

	*ret = (struct part){ .key = text };
	if (!equals && *text == '!') {
		ret->key++;
		ret->negated = true;
	} else if (equals) {
		ret->value = equals + 1;
		*equals = '\0';
		ret->negated = equals > text && equals[-1] == '!';
		if (ret->negated)
			equals[-1] = '\0';
	}
	if (*ret->key && !strpbrk(ret->key, "=!"))
		return 0;
	return error_set(e, -EINVAL, "labels: a part of a selector is KEY=VALUE, KEY!=VALUE, KEY or !KEY");
}

int selector_parse(const char *text, struct selector **ret, struct error *e)
{
	struct selector *s = calloc(1, sizeof(*s) + strlen(text) + 1);
	char *save = NULL;
	int err = 0;

	if (!s)
		return error_set(e, -ENOMEM, "no memory");
	strcpy(s->text, text);
	for (char *p = strtok_r(s->text, ",", &save); p && !err; p = strtok_r(NULL, ",", &save)) {
		if (s->n == PARTS_MAX)
			err = error_set(e, -EINVAL, "labels: at most %d parts are possible", PARTS_MAX);
		else
			err = parse_part(p, &s->parts[s->n++], e);
	}
	if (err)
		free(s);
	else
		*ret = s;
	return err;
}

static bool part_holds(const struct part *p, const struct object *o)
{
	bool holds = false;

	for (unsigned int i = 0; i < o->n_labels; i++)
		if (!strcmp(o->labels[i].key, p->key))
			holds = !p->value || !strcmp(o->labels[i].value, p->value);
	return holds != p->negated;
}

bool selector_match(const struct selector *s, const struct object *o)
{
	for (unsigned int i = 0; s && i < s->n; i++)
		if (!part_holds(&s->parts[i], o))
			return false;
	return true;
}

void selector_free(struct selector *s)
{
	free(s);
}
