// SPDX-License-Identifier: BSD-2-Clause
/*
 * server.c - questions to the controller, by libcurl
 */
#include <ctl/cli/server.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include <ctl/cli/view.h>
#include <lib/doc.h>

#define CONNECT_S 10L
#define ANSWER_S 60L

static const struct setting {
	const char *name, *variable;
	size_t offset;
} settings[] = {
	{ "server", "MIRACH_SERVER", offsetof(struct server, url) },
	{ "ca", "MIRACH_CA", offsetof(struct server, ca) },
	{ "cert", "MIRACH_CERT", offsetof(struct server, cert) },
	{ "key", "MIRACH_KEY", offsetof(struct server, key) },
	{ "token", "MIRACH_TOKEN", offsetof(struct server, token) },
	{ "tenant", "MIRACH_TENANT", offsetof(struct server, tenant) },
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static char **place(struct server *s, size_t i)
{
	return (char **)((char *)s + settings[i].offset);
}

static int read_file(const char *path, bool must, struct doc **ret, struct error *e)
{
	*ret = NULL;
	if (!must && access(path, F_OK))
		return 0;
	if (doc_load(path, ret, e))
		return -EINVAL;
	if ((*ret)->kind == DOC_MAP)
		return 0;
	doc_free(*ret);
	*ret = NULL;
	return error_set(e, -EINVAL, "%s: a map is wanted: server, ca, cert, key, token, tenant", path);
}

static int load_settings(struct doc **ret, struct error *e)
{
	const char *path = getenv("MIRACH_CONFIG"), *home = getenv("HOME");
	char in_home[512];

	*ret = NULL;
	if (path)
		return read_file(path, true, ret, e);
	if (!home)
		return 0;
	snprintf(in_home, sizeof(in_home), "%s/.config/mirach/config.yaml", home);
	return read_file(in_home, false, ret, e);
}

int server_init(struct server *s, const struct opts *opts, struct error *e)
{
	struct doc *file;
	int err = load_settings(&file, e);

	*s = (struct server){};
	if (err)
		return err;
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const char *text = opts_text(opts, settings[i].name) ?: getenv(settings[i].variable);
		const struct doc *d = file ? doc_find(file, settings[i].name) : NULL;

		if (!text && d && d->kind == DOC_SCALAR)
			text = d->text;
		if (text)
			*place(s, i) = strdup(text);
	}
	if (!s->url)
		s->url = strdup(SERVER_DEFAULT);
	doc_free(file);
	return 0;
}

void server_done(struct server *s)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		free(*place(s, i));
}

struct buffer {
	char *text;
	size_t len;
};

static size_t keep(char *data, size_t size, size_t n, void *arg)
{
	struct buffer *b = arg;
	char *bigger = realloc(b->text, b->len + size * n + 1);

	if (!bigger)
		return 0;
	b->text = bigger;
	memcpy(b->text + b->len, data, size * n);
	b->len += size * n;
	b->text[b->len] = '\0';
	return size * n;
}

/* The handle for one question; NULL: no memory. */
static CURL *prepare(const struct server *s, const char *path)
{
	bool is_socket = !strncmp(s->url, "unix:", 5);
	CURL *curl = curl_easy_init();
	char url[2048];

	if (!curl)
		return NULL;
	snprintf(url, sizeof(url), "%s%s", is_socket ? "http://socket" : s->url, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (is_socket)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, s->url + 5);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (s->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca);
	if (s->cert && !s->token) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, s->cert);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, s->key);
	}
	return curl;
}

static struct curl_slist *headers(const struct server *s, const char *body)
{
	struct curl_slist *list = NULL;
	char line[1024];

	if (s->token) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", s->token);
		list = curl_slist_append(list, line);
	}
	if (body)
		list = curl_slist_append(list, "Content-Type: application/yaml");
	return curl_slist_append(list, "Expect:");
}

static int unreachable(const struct server *s, const char *why)
{
	fprintf(stderr, "mirachctl: cannot reach the controller at %s: %s; is it running, and are"
			" --server, --ca and the certificate or token right?\n", s->url, why);
	return CLI_UNREACHABLE;
}

void server_print_problem(const cJSON *problem)
{
	const cJSON *error;

	fprintf(stderr, "mirachctl: %s", view_text(problem, "title"));
	if (*view_text(problem, "detail"))
		fprintf(stderr, ": %s", view_text(problem, "detail"));
	fputc('\n', stderr);
	cJSON_ArrayForEach(error, view_item(problem, "errors"))
		fprintf(stderr, "  %s%s%s%s%s\n", view_text(error, "object"),
			*view_text(error, "object") ? ": " : "", view_text(error, "field"),
			*view_text(error, "field") ? ": " : "", view_text(error, "problem"));
}

static int judge(const struct server *s, const struct answer *a, bool quiet)
{
	if (a->status >= 200 && a->status < 300)
		return CLI_OK;
	if (!quiet && a->json)
		server_print_problem(a->json);
	else if (!quiet)
		fprintf(stderr, "mirachctl: %s answered with status %ld\n", s->url, a->status);
	return a->status == 404 ? CLI_NOT_FOUND : CLI_FAILED;
}

int server_ask(const struct server *s, const char *method, const char *path, const char *body,
	       unsigned int wait_s, bool quiet, struct answer *ret)
{
	CURL *curl = prepare(s, path);
	struct curl_slist *list = headers(s, body);
	char why[CURL_ERROR_SIZE] = "no memory";
	struct buffer got = {};
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*ret = (struct answer){};
	if (curl) {
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_S + wait_s);
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
		if (body) {
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
			curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		}
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
		curl_easy_cleanup(curl);
	}
	curl_slist_free_all(list);
	if (got.len)
		ret->json = cJSON_Parse(got.text);
	free(got.text);
	if (code != CURLE_OK && !ret->status)
		return unreachable(s, *why ? why : curl_easy_strerror(code));
	return judge(s, ret, quiet);
}

struct stream {
	struct buffer rest;		/* the start of a line whose end is to come */
	bool (*line)(void *arg, const char *text);
	void *arg;
	bool stopped;
};

static size_t cut_lines(char *data, size_t size, size_t n, void *arg)
{
	struct stream *st = arg;
	char *start, *end;

	if (!keep(data, size, n, &st->rest))
		return 0;
	for (start = st->rest.text; (end = strchr(start, '\n')) && !st->stopped; start = end + 1) {
		*end = '\0';
		st->stopped = !st->line(st->arg, start);
	}
	st->rest.len -= start - st->rest.text;
	memmove(st->rest.text, start, st->rest.len + 1);
	return st->stopped ? 0 : size * n;
}

int server_stream(const struct server *s, const char *path, bool (*line)(void *arg, const char *text),
		  void *arg)
{
	struct stream st = { .line = line, .arg = arg };
	CURL *curl = prepare(s, path);
	struct curl_slist *list = headers(s, NULL);
	char why[CURL_ERROR_SIZE] = "no memory";
	struct answer a = {};
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int rc = CLI_OK;

	if (curl) {
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
		curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, cut_lines);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, &st);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
		curl_easy_cleanup(curl);
	}
	curl_slist_free_all(list);
	if (a.status && a.status != 200) {
		a.json = st.rest.len ? cJSON_Parse(st.rest.text) : NULL;
		rc = judge(s, &a, false);
		cJSON_Delete(a.json);
	} else if (code != CURLE_OK && !st.stopped) {
		rc = unreachable(s, *why ? why : curl_easy_strerror(code));
	}
	free(st.rest.text);
	return rc;
}

char *server_escape(const char *text)
{
	return curl_easy_escape(NULL, text, 0);
}
