// SPDX-License-Identifier: BSD-2-Clause
/*
 * auth.c - who asks: a certificate's name, or a bearer token of a file
 *
 * A token is compared by its hash with every line, in a time that does not depend on
 * where they differ, so nothing is learnt about the tokens by asking.
 */
#include <ctl/controller/auth.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <lib/log.h>
#include <lib/names.h>

#define HASH_LEN SHA256_DIGEST_LENGTH

struct token {
	uint8_t hash[HASH_LEN];
	struct identity who;
	time_t not_after;		/* 0: for ever */
};

struct tokens {
	struct token *v;
	unsigned int n;
};

struct auth {
	char *path;
	struct tokens tokens;
	struct timespec changed;	/* of the file, when it was read */
};

int auth_identity(const char *name, struct identity *ret)
{
	struct identity who = { .known = true };

	if (!strncmp(name, "operator:", 9) && name[9])
		who.operator = true;
	else if (strncmp(name, "tenant:", 7) || model_name_check(name + 7, sizeof(who.tenant)))
		return -EINVAL;
	else
		snprintf(who.tenant, sizeof(who.tenant), "%s", name + 7);
	if ((size_t)snprintf(who.name, sizeof(who.name), "%s", name) >= sizeof(who.name))
		return -EINVAL;
	*ret = who;
	return 0;
}

void auth_hash(const char *token, char ret[AUTH_HASH_LEN])
{
	uint8_t hash[HASH_LEN];

	SHA256((const unsigned char *)token, strlen(token), hash);
	hex_format(hash, sizeof(hash), 0, ret, AUTH_HASH_LEN);
}

static int parse_time(const char *text, time_t *ret)
{
	struct tm tm = {};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (!end || *end)
		return -EINVAL;
	*ret = timegm(&tm);
	return 0;
}

static int parse_line(char *line, struct token *t, const char **ret_why)
{
	char *save, *hash = strtok_r(line, " \t\r\n", &save), *name = strtok_r(NULL, " \t\r\n", &save);
	char *until = strtok_r(NULL, " \t\r\n", &save);

	*t = (struct token){};
	*ret_why = "64 hexadecimal digits are wanted first; `mirachctl token` makes such a line";
	if (strlen(hash) != 2 * HASH_LEN || hex_parse(hash, t->hash, HASH_LEN) != HASH_LEN)
		return -EINVAL;
	*ret_why = "\"tenant:NAME\" or \"operator:NAME\" is wanted behind the hash";
	if (!name || auth_identity(name, &t->who))
		return -EINVAL;
	*ret_why = "the time must be written like 2027-01-31T00:00:00Z";
	return until ? parse_time(until, &t->not_after) : 0;
}

static int add_token(struct tokens *tokens, const struct token *t)
{
	struct token *bigger = reallocarray(tokens->v, tokens->n + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	tokens->v = bigger;
	tokens->v[tokens->n++] = *t;
	return 0;
}

static int read_lines(FILE *in, const char *path, struct tokens *tokens, struct error *e)
{
	char line[512];
	int n = 0, err = 0;

	while (!err && fgets(line, sizeof(line), in)) {
		const char *start = line + strspn(line, " \t\r\n"), *why;
		struct token t;

		n++;
		if (!*start || *start == '#')
			continue;
		if (parse_line(line + (start - line), &t, &why))
			err = error_set(e, -EINVAL, "%s:%d: %s", path, n, why);
		else if (add_token(tokens, &t))
			err = error_set(e, -ENOMEM, "%s: no memory", path);
	}
	return err;
}

static int read_file(struct auth *a, struct error *e)
{
	struct tokens tokens = {};
	struct stat st;
	FILE *in = fopen(a->path, "re");
	int err;

	if (!in || fstat(fileno(in), &st))
		err = error_set(e, -errno, "%s: cannot read: %s", a->path, strerror(errno));
	else
		err = read_lines(in, a->path, &tokens, e);
	if (in)
		fclose(in);
	if (err) {
		free(tokens.v);
		return err;
	}
	free(a->tokens.v);
	a->tokens = tokens;
	a->changed = st.st_mtim;
	return 0;
}

static void read_if_changed(struct auth *a)
{
	struct error e = {};
	struct stat st;

	if (!a->path || stat(a->path, &st))
		return;
	if (st.st_mtim.tv_sec == a->changed.tv_sec && st.st_mtim.tv_nsec == a->changed.tv_nsec)
		return;
	if (read_file(a, &e)) {
		log_error("the file of tokens is wrong; those of before stay in force", "error", e.text);
		a->changed = st.st_mtim;
	}
}

int auth_new(const char *path, struct auth **ret, struct error *e)
{
	struct auth *a = calloc(1, sizeof(*a));
	int err = 0;

	if (!a || (path && !(a->path = strdup(path))))
		err = error_set(e, -ENOMEM, "no memory");
	else if (path)
		err = read_file(a, e);
	if (err)
		auth_free(a);
	else
		*ret = a;
	return err;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	free(a->tokens.v);
	free(a->path);
	free(a);
}

int auth_token(struct auth *a, const char *token, time_t now, struct identity *ret, struct error *e)
{
	const struct token *found = NULL;
	uint8_t hash[HASH_LEN];

	read_if_changed(a);
	SHA256((const unsigned char *)token, strlen(token), hash);
	for (unsigned int i = 0; i < a->tokens.n; i++)
		if (!CRYPTO_memcmp(hash, a->tokens.v[i].hash, sizeof(hash)))
			found = &a->tokens.v[i];
	if (!found)
		return error_set(e, -EACCES, "the token is not known");
	if (found->not_after && now >= found->not_after)
		return error_set(e, -EACCES, "the token of %s has expired", found->who.name);
	*ret = found->who;
	return 0;
}
