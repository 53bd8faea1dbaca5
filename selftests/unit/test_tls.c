// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_tls.c - who may talk to whom, with certificates the command line makes
 *
 *	dir/ of one CA, other/ of another; a client and a server over a pair of buffers
 *
 * No sockets, no loop: the two ends take turns until neither has anything to say.
 */
#include <lib/tls.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include <ctl/cli/pki.h>
#include <selftests/unit/expect.h>

static char dir[64], other[64];

static void issue(const char *where, enum tls_role role, const char *name, unsigned int days)
{
	struct pki_request r = { .role = role, .name = name, .days = days,
				 .addresses = role == TLS_CONTROLLER ? "192.0.2.1,ctl" : NULL };
	struct error e = {};

	if (pki_issue(where, &r, &e))
		fail_msg("%s", e.text);
}

static int setup(void **state)
{
	struct error e = {};

	(void)state;
	strcpy(dir, "/tmp/mirach-tls.XXXXXX");
	strcpy(other, "/tmp/mirach-tls.XXXXXX");
	if (!mkdtemp(dir) || !mkdtemp(other) || pki_init(dir, 10, &e) || pki_init(other, 10, &e))
		return -1;
	issue(dir, TLS_CONTROLLER, "c1", 10);
	issue(dir, TLS_HOST, "a", 10);
	issue(dir, TLS_HOST, "old", 0);
	issue(other, TLS_HOST, "a", 10);
	return 0;
}

static int teardown(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s %s", dir, other);
	return system(command);
}

static struct tls *load(bool server, const char *ca, const char *where, const char *who,
			unsigned int roles, struct error *e)
{
	char f[3][PKI_PATH_LEN];
	struct tls_files files = { f[0], f[1], f[2] };
	struct tls *t = NULL;

	snprintf(f[0], PKI_PATH_LEN, "%s/ca.crt", ca);
	snprintf(f[1], PKI_PATH_LEN, "%s/%s.crt", where, who);
	snprintf(f[2], PKI_PATH_LEN, "%s/%s.key", where, who);
	tls_new(server, &files, roles, &t, e);
	return t;
}

struct pair {
	SSL *c, *s;
	char c_says[256], s_says[256];
};

static bool step(SSL *ssl, char *says, size_t len)
{
	char byte;
	int n = SSL_is_init_finished(ssl) ? SSL_read(ssl, &byte, 1) : SSL_do_handshake(ssl);

	if (n > 0)
		return true;
	if (SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ)
		return true;
	if (!*says)
		tls_failure(ssl, ERR_peek_error(), says, len);
	ERR_clear_error();
	return false;
}

/* True: both ends are up and have heard each other. */
static bool meet(struct tls *client, struct tls *server, struct pair *p)
{
	BIO *c, *s;
	bool c_up = true, s_up = true;

	*p = (struct pair){ tls_open(client), tls_open(server), "", "" };
	assert_int_equal(BIO_new_bio_pair(&c, 0, &s, 0), 1);
	SSL_set_bio(p->c, c, c);
	SSL_set_bio(p->s, s, s);
	SSL_set_connect_state(p->c);
	SSL_set_accept_state(p->s);
	for (unsigned int i = 0; i < 12; i++) {
		c_up = step(p->c, p->c_says, sizeof(p->c_says)) && c_up;
		s_up = step(p->s, p->s_says, sizeof(p->s_says)) && s_up;
	}
	return c_up && s_up && SSL_is_init_finished(p->s);
}

/* Cut, without a word: that must not cost the resumption. */
static void part(struct pair *p)
{
	SSL_free(p->c);
	SSL_free(p->s);
}

static void test_identity_and_resumption(void **state)
{
	struct error e = {};
	struct tls *s = load(true, dir, dir, "controller-c1", 1u << TLS_HOST, &e);
	struct tls *c = load(false, dir, dir, "host-a", 1u << TLS_CONTROLLER, &e);
	struct tls_identity id;
	struct pair p;

	(void)state;
	assert_non_null(s);
	assert_non_null(c);
	for (unsigned int turn = 0; turn < 3; turn++) {
		assert_true(meet(c, s, &p));
		assert_int_equal(SSL_session_reused(p.s), turn > 0);
		assert_int_equal(tls_peer(p.s, &id, &e), 0);
		assert_int_equal(id.role, TLS_HOST);
		assert_string_equal(id.name, "a");
		assert_int_equal(tls_peer(p.c, &id, &e), 0);
		assert_string_equal(id.name, "c1");
		part(&p);
	}
	tls_free(c);
	tls_free(s);
}

static void refused(struct tls *client, struct tls *server, const char *c_says, const char *s_says)
{
	struct pair p;

	assert_false(meet(client, server, &p));
	if (c_says)
		expect_part("client", p.c_says, c_says);
	if (s_says)
		expect_part("server", p.s_says, s_says);
	part(&p);
	tls_free(client);
}

static void test_refused(void **state)
{
	struct error e = {};
	struct tls *s = load(true, dir, dir, "controller-c1", 1u << TLS_HOST, &e);
	struct tls *host = load(true, dir, dir, "host-a", 1u << TLS_HOST, &e);

	(void)state;
	refused(load(false, dir, other, "host-a", 1u << TLS_CONTROLLER, &e), s, "not of its CA",
		"not of our CA");
	refused(load(false, dir, dir, "controller-c1", 1u << TLS_CONTROLLER, &e), s, NULL,
		"role that may not come here");
	refused(load(false, dir, dir, "host-a", 1u << TLS_CONTROLLER, &e), host,
		"role that may not come here", NULL);
	refused(load(false, other, dir, "host-a", 1u << TLS_CONTROLLER, &e), s, "not of our CA", NULL);
	assert_null(load(false, dir, dir, "host-old", 1u << TLS_CONTROLLER, &e));
	expect_part("expired", e.text, "has expired");
	tls_free(s);
	tls_free(host);
}

/* An agent that does not look at its own certificate is refused by the other end. */
static void test_expired_at_the_peer(void **state)
{
	char path[PKI_PATH_LEN];
	struct error e = {};
	struct tls *s = load(true, dir, dir, "controller-c1", 1u << TLS_HOST, &e);
	struct tls *c = load(false, dir, dir, "host-a", 1u << TLS_CONTROLLER, &e);
	struct pair p;
	SSL_CTX *ctx;

	(void)state;
	p.c = tls_open(c);
	ctx = SSL_get_SSL_CTX(p.c);
	snprintf(path, sizeof(path), "%s/host-old.crt", dir);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, path), 1);
	snprintf(path, sizeof(path), "%s/host-old.key", dir);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM), 1);
	SSL_free(p.c);
	refused(c, s, "our certificate has expired", "the peer's certificate has expired");
	tls_free(s);
}

static void test_files(void **state)
{
	struct pki_request r = { .role = TLS_CONTROLLER, .name = "c1", .days = 20 };
	struct pki_request bad = { .role = TLS_HOST, .name = "../x", .days = 20 };
	char path[PKI_PATH_LEN];
	struct error e = {};
	struct stat st;

	(void)state;
	assert_int_equal(pki_issue(dir, &r, &e), -EEXIST);
	expect_part("exists", e.text, "not overwritten");
	assert_int_equal(pki_init(dir, 10, &e), -EEXIST);
	assert_int_equal(stat(pki_path(dir, &r, "key", path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pki_renew(dir, &r, &e), 0);
	assert_int_equal(pki_issue(dir, &bad, &e), -EINVAL);
	assert_int_equal(pki_issue("/nowhere", &r, &e), -ENOENT);
	expect_part("no authority", e.text, "mirachctl ca init");
	r.name = "nobody";
	assert_int_equal(pki_renew(dir, &r, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_and_resumption),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_expired_at_the_peer),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
