// SPDX-License-Identifier: BSD-2-Clause
/*
 * pki.c - a certificate authority in a folder
 */
#include <ctl/cli/pki.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define DAY_S (24 * 3600L)
#define SKEW_S 3600L			/* clocks that are behind still take a new certificate */

struct authority {
	X509 *cert;
	EVP_PKEY *key;
};

static int ssl_error(struct error *e, const char *what)
{
	unsigned long err = ERR_peek_last_error();
	const char *reason = err ? ERR_reason_error_string(err) : NULL;

	ERR_clear_error();
	return error_set(e, -EINVAL, "%s: %s", what, reason ?: "OpenSSL failed");
}

const char *pki_path(const char *dir, const struct pki_request *r, const char *suffix,
		     char buf[PKI_PATH_LEN])
{
	snprintf(buf, PKI_PATH_LEN, "%s/%s-%s.%s", dir, tls_role_name(r->role), r->name, suffix);
	return buf;
}

/* Files: written beside, then put in place. */

static int put_in_place(const char *tmp, const char *path, bool replace, struct error *e)
{
	int err = 0;

	if (replace ? rename(tmp, path) : link(tmp, path))
		err = errno == EEXIST ?
			      error_set(e, -EEXIST, "%s is there already; it is not overwritten", path) :
			      error_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!replace || err)
		unlink(tmp);
	return err;
}

static int write_pem(const char *path, bool replace, X509 *cert, EVP_PKEY *key, struct error *e)
{
	char tmp[PKI_PATH_LEN + 8];
	FILE *f;
	bool good;
	int fd;

	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	fd = mkstemp(tmp);		/* 0600 */
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return error_set(e, -errno, "%s: %s", path, strerror(errno));
	good = key ? PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) :
		     PEM_write_X509(f, cert);
	good = good && !fflush(f) && !fsync(fd);
	if (fclose(f) || !good) {
		unlink(tmp);
		return error_set(e, -EIO, "%s: cannot be written", path);
	}
	return put_in_place(tmp, path, replace, e);
}

static int read_pem(const char *path, X509 **cert, EVP_PKEY **key, struct error *e)
{
	FILE *f = fopen(path, "r");
	bool good;

	if (!f)
		return error_set(e, -errno, "%s: %s", path, strerror(errno));
	if (cert)
		good = (*cert = PEM_read_X509(f, NULL, NULL, NULL));
	else
		good = (*key = PEM_read_PrivateKey(f, NULL, NULL, NULL));
	fclose(f);
	return good ? 0 : ssl_error(e, path);
}

/* Certificates. */

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool good;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return good ? 0 : -EINVAL;
}

static int set_serial(X509 *cert)
{
	uint64_t serial;

	if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		return -EIO;
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1) ? 0 : -ENOMEM;
}

/* "IP:192.0.2.1,DNS:ctl" of "192.0.2.1,ctl". -EINVAL: too long. */
static int alt_names(const char *addresses, char *buf, size_t len)
{
	char list[1024], *save = NULL, *word;
	size_t at = 0;

	if (strlen(addresses) >= sizeof(list))
		return -EINVAL;
	strcpy(list, addresses);
	for (word = strtok_r(list, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		unsigned char bytes[16];
		bool ip = inet_pton(AF_INET, word, bytes) == 1 ||
			  inet_pton(AF_INET6, word, bytes) == 1;
		int n = snprintf(buf + at, len - at, "%s%s:%s", at ? "," : "", ip ? "IP" : "DNS",
				 word);

		at += n;
		if (at >= len)
			return -EINVAL;
	}
	return at ? 0 : -EINVAL;
}

static int copy_alt_names(X509 *cert, X509 *old)
{
	int at = X509_get_ext_by_NID(old, NID_subject_alt_name, -1);

	if (at < 0)
		return 0;
	return X509_add_ext(cert, X509_get_ext(old, at), -1) ? 0 : -EINVAL;
}

static int sign(X509 *cert, const char *cn, EVP_PKEY *key, const struct authority *ca,
		unsigned int days)
{
	X509_NAME *name = X509_get_subject_name(cert);
	bool is_ca = !ca->cert;
	bool good = X509_set_version(cert, X509_VERSION_3) && !set_serial(cert) &&
		    X509_gmtime_adj(X509_getm_notBefore(cert), days ? -SKEW_S : -2 * DAY_S) &&
		    X509_gmtime_adj(X509_getm_notAfter(cert), days ? days * DAY_S : -DAY_S) &&
		    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					       (const unsigned char *)cn, -1, -1, 0) &&
		    X509_set_issuer_name(cert, is_ca ? name : X509_get_subject_name(ca->cert)) &&
		    X509_set_pubkey(cert, key);
	X509 *issuer = is_ca ? cert : ca->cert;

	good = good && !add_extension(cert, issuer, NID_basic_constraints,
				      is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	good = good && !add_extension(cert, issuer, NID_key_usage,
				      is_ca ? "critical,keyCertSign,cRLSign" :
					      "critical,digitalSignature");
	good = good && !add_extension(cert, issuer, NID_subject_key_identifier, "hash");
	if (!is_ca)
		good = good && !add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
	return good && X509_sign(cert, ca->key ?: key, EVP_sha256()) ? 0 : -EINVAL;
}

static int make_folder(const char *dir, struct error *e)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return error_set(e, -errno, "%s: %s", dir, strerror(errno));
	return 0;
}

/* The key first: a certificate without its key is of no use, a key alone says what to do again. */
static int write_both(const char *crt, const char *keyfile, X509 *cert, EVP_PKEY *key,
		      struct error *e)
{
	int err = write_pem(keyfile, false, NULL, key, e);

	if (err)
		return err;
	err = write_pem(crt, false, cert, NULL, e);
	if (err)
		unlink(keyfile);
	return err;
}

int pki_init(const char *dir, unsigned int days, struct error *e)
{
	char crt[PKI_PATH_LEN], keyfile[PKI_PATH_LEN];
	const struct authority none = {};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	char name[TLS_NAME_LEN];
	uint32_t mark = 0;		/* tells one authority from another of the same origin */
	int err = make_folder(dir, e);

	RAND_bytes((unsigned char *)&mark, sizeof(mark));
	snprintf(name, sizeof(name), "Mirach CA %08x", mark);
	snprintf(crt, sizeof(crt), "%s/ca.crt", dir);
	snprintf(keyfile, sizeof(keyfile), "%s/ca.key", dir);
	if (!err && (!key || !cert || sign(cert, name, key, &none, days)))
		err = ssl_error(e, "CA certificate");
	err = err ?: write_both(crt, keyfile, cert, key, e);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

static int authority_load(const char *dir, struct authority *ca, struct error *e)
{
	char path[PKI_PATH_LEN];
	int err;

	snprintf(path, sizeof(path), "%s/ca.crt", dir);
	err = read_pem(path, &ca->cert, NULL, e);
	snprintf(path, sizeof(path), "%s/ca.key", dir);
	err = err ?: read_pem(path, NULL, &ca->key, e);
	if (err == -ENOENT)
		error_prefix(e, "no authority here; `mirachctl ca init` makes one");
	return err;
}

static void authority_done(struct authority *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
}

static int check_name(const struct pki_request *r, struct error *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (!*r->name || strlen(r->name) > 48 || strspn(r->name, allowed) != strlen(r->name) ||
	    *r->name == '.')
		return error_set(e, -EINVAL, "`%s` is no name: up to 48 letters, digits, - _ and .",
				 r->name);
	return 0;
}

/* A certificate for @key; @old: where addresses come from that are not given, or NULL. */
static int certify(const struct authority *ca, const struct pki_request *r, EVP_PKEY *key,
		   X509 *old, X509 *cert, struct error *e)
{
	char cn[TLS_NAME_LEN + 16], alt[1200];
	int err = 0;

	snprintf(cn, sizeof(cn), "%s:%s", tls_role_name(r->role), r->name);
	if (r->addresses && (alt_names(r->addresses, alt, sizeof(alt)) ||
			     add_extension(cert, ca->cert, NID_subject_alt_name, alt)))
		return error_set(e, -EINVAL, "`%s`: not a list of addresses and host names",
				 r->addresses);
	if (!r->addresses && old)
		err = copy_alt_names(cert, old);
	if (err || sign(cert, cn, key, ca, r->days))
		return ssl_error(e, "certificate");
	return 0;
}

int pki_issue(const char *dir, const struct pki_request *r, struct error *e)
{
	char crt[PKI_PATH_LEN], keyfile[PKI_PATH_LEN];
	struct authority ca = {};
	X509 *cert = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	int err = check_name(r, e);

	err = err ?: authority_load(dir, &ca, e);
	if (!err && (!key || !cert))
		err = ssl_error(e, "key");
	err = err ?: certify(&ca, r, key, NULL, cert, e);
	err = err ?: write_both(pki_path(dir, r, "crt", crt), pki_path(dir, r, "key", keyfile), cert,
				key, e);
	authority_done(&ca);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

int pki_renew(const char *dir, const struct pki_request *r, struct error *e)
{
	char path[PKI_PATH_LEN];
	struct authority ca = {};
	X509 *cert = X509_new(), *old = NULL;
	EVP_PKEY *key = NULL;
	int err = check_name(r, e);

	err = err ?: authority_load(dir, &ca, e);
	err = err ?: read_pem(pki_path(dir, r, "key", path), NULL, &key, e);
	err = err ?: read_pem(pki_path(dir, r, "crt", path), &old, NULL, e);
	if (!err && !cert)
		err = ssl_error(e, "certificate");
	err = err ?: certify(&ca, r, key, old, cert, e);
	err = err ?: write_pem(path, true, cert, NULL, e);
	authority_done(&ca);
	X509_free(cert);
	X509_free(old);
	EVP_PKEY_free(key);
	return err;
}
