// SPDX-License-Identifier: BSD-2-Clause
/*
 * ca.c - mirachctl ca: certificates for hosts, controllers and people
 *
 * For those who have no authority of their own. See also: pki.h, docs/certificates.md.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/pki.h>

#define CA_DIR "/etc/mirach/ca"
#define CA_DAYS 3650
#define CERT_DAYS 365

static const char *dir_of(const struct cli *cli)
{
	return opts_text(cli->opts, "dir") ?: CA_DIR;
}

static int failed(const struct error *e)
{
	fprintf(stderr, "mirachctl: %s\n", e->text);
	return e->err == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED;
}

static int run_init(struct cli *cli)
{
	struct error e = {};

	if (pki_init(dir_of(cli), opts_number(cli->opts, "days", CA_DAYS), &e))
		return failed(&e);
	printf("%s/ca.crt goes to every host and controller; %s/ca.key stays here.\n", dir_of(cli),
	       dir_of(cli));
	return CLI_OK;
}

static int show(const struct cli *cli, const struct pki_request *r)
{
	char crt[PKI_PATH_LEN], key[PKI_PATH_LEN];

	pki_path(dir_of(cli), r, "crt", crt);
	pki_path(dir_of(cli), r, "key", key);
	printf("%s\n%s\n", crt, key);
	return CLI_OK;
}

static struct pki_request request(const struct cli *cli, enum tls_role role, const char *name)
{
	return (struct pki_request){
		.role = role,
		.name = name,
		.addresses = opts_text(cli->opts, "address"),
		.days = opts_number(cli->opts, "days", CERT_DAYS),
	};
}

static int issue(struct cli *cli, enum tls_role role)
{
	struct pki_request r = request(cli, role, cli->opts->words[0]);
	struct error e = {};

	return pki_issue(dir_of(cli), &r, &e) ? failed(&e) : show(cli, &r);
}

static int run_host(struct cli *cli)
{
	return issue(cli, TLS_HOST);
}

static int run_controller(struct cli *cli)
{
	return issue(cli, TLS_CONTROLLER);
}

static int run_tenant(struct cli *cli)
{
	return issue(cli, TLS_TENANT);
}

static int run_operator(struct cli *cli)
{
	return issue(cli, TLS_OPERATOR);
}

static int run_renew(struct cli *cli)
{
	const char *role = cli->opts->words[0];
	struct error e = {};

	for (enum tls_role r = 0; r < TLS_ROLES; r++)
		if (!strcmp(role, tls_role_name(r))) {
			struct pki_request wanted = request(cli, r, cli->opts->words[1]);

			return pki_renew(dir_of(cli), &wanted, &e) ? failed(&e) :
								     show(cli, &wanted);
		}
	return cli_usage("`%s`: a certificate is of a host, controller, tenant or operator", role);
}

#define COMMON                                                                           \
	{ "dir", OPT_TEXT, "DIR", "where the authority lies, default " CA_DIR, true },   \
	{ "days", OPT_NUMBER, "N", "how long it is valid", true }

static const struct opt plain_opts[] = { COMMON, {} };
static const struct opt address_opts[] = {
	COMMON,
	{ "address", OPT_TEXT, "LIST", "addresses and names it is reached at, for https", true },
	{},
};

const struct command ca_commands[] = {
	{ "ca init", NULL, 0, 0, plain_opts, "make a certificate authority", run_init, NULL },
	{ "ca host", "NAME", 1, 1, plain_opts, "certificate of a host", run_host, NULL },
	{ "ca controller", "NAME", 1, 1, address_opts, "certificate of a controller", run_controller,
	  "mirachctl ca controller c1 --address 192.0.2.10,ctl.example.net" },
	{ "ca tenant", "NAME", 1, 1, plain_opts, "certificate of whoever acts for a tenant", run_tenant, NULL },
	{ "ca operator", "NAME", 1, 1, plain_opts, "certificate of an operator", run_operator, NULL },
	{ "ca renew", "ROLE NAME", 2, 2, address_opts, "new certificate for the key that is there", run_renew, NULL },
	{},
};
