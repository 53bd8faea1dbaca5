// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_channel.c - two VM controllers and the channel between them, over real TLS on loopback
 *
 *	h0 ── a ══ channel ══ b ── h1		a leads h0, b leads h1
 *	      └──── session of h2 ───┘		h2's front end is at a, b leads it
 *
 * Hosts are in memory and answer at once. Nothing is asserted about time, but that
 * what is waited for comes.
 */
#include <ctl/controller/channel.h>

#include <sys/socket.h>
#include <unistd.h>

#include <ctl/cli/pki.h>
#include <ctl/controller/permits.h>
#include <lib/log.h>
#include <selftests/unit/store_world.h>
#include <selftests/unit/vmc_world.h>

struct side {
	struct vmc vmc;
	struct model_set set;
	struct channel_server *server;
	struct channels *channels;
	struct side *other;
	const char *led;		/* names of the hosts it leads, by blanks */
	char address[32];
};

struct agent {
	struct vmc_session *session;
	struct side *side;
	struct objset have;
	unsigned int n_updates;
	bool lost;
	cJSON *ack;			/* to be said: nobody calls back */
};

static struct event_base *base;
static char dir[64];
static struct side a = { .other = NULL, .led = "h0" }, b = { .led = "h1 h2" };
static struct agent h0 = { .side = &a }, h1 = { .side = &b }, h2;

static bool owns(void *arg, const char *host)
{
	return strstr(((struct side *)arg)->led, host);
}

static int64_t term(void *arg, const char *host)
{
	(void)arg, (void)host;
	return 5;
}

static void say(void *arg, const char *host, char kind, uint64_t n, const char *text)
{
	struct side *s = arg;

	(void)host;
	channels_say(s->channels, s->other->address, kind, n, text);
}

static struct tracks orphan;
static uint64_t orphan_revision;

static void take_orphan(void *arg, uint64_t revision, struct tracks *tracks)
{
	(void)arg;
	orphan_revision = revision;
	tracks_take(&orphan, tracks);
}

static bool disagreed;

static bool agreed(void *arg)
{
	(void)arg;
	return !disagreed;
}

/* ---- agents in memory ---- */

static void front_send(void *arg, const char *text, size_t len)
{
	cJSON *msg = cJSON_ParseWithLength(text, len);
	struct msg_ack ack = {};
	struct agent *h = arg;
	struct msg_update u;
	const cJSON *one;
	struct digest v;

	assert_int_equal(msg_kind(msg), MSG_UPDATE);
	assert_int_equal(msg_read_update(msg, &u, NULL), 0);
	cJSON_ArrayForEach(one, u.set) {
		digest_parse(cJSON_GetStringValue(cJSON_GetObjectItem(one, "v")), &v);
		objset_put(&h->have, cJSON_GetStringValue(cJSON_GetObjectItem(one, "id")), &v);
	}
	cJSON_ArrayForEach(one, u.del)
		objset_del(&h->have, one->valuestring);
	h->n_updates++;
	ack.seq = u.seq;
	ack.revision = u.revision;
	ack.digest = h->have.root;
	cJSON_Delete(h->ack);
	h->ack = msg_ack(&ack);
	cJSON_Delete(msg);
}

static size_t front_backlog(void *arg)
{
	(void)arg;
	return 0;
}

static void front_close(void *arg, const char *why)
{
	(void)arg;
	fail_msg("closed: %s", why);
}

static void front_lost(void *arg)
{
	((struct agent *)arg)->lost = true;
}

static const struct vmc_front front = { front_send, front_backlog, front_close, front_lost };

static void attach(struct agent *h, const char *name)
{
	h->session = vmc_attach(&h->side->vmc, name, &h->have.root, &front, h);
	assert_non_null(h->session);
}

static void answer(struct agent *h)
{
	struct error e = {};
	cJSON *ack = h->ack;

	h->ack = NULL;
	if (ack && vmc_message(h->session, ack, &e))
		fail_msg("%s", e.text);
	cJSON_Delete(ack);
}

/* ---- the world ---- */

static void give_up(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	fail_msg("it did not come");
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	vmc_offload_drain(&a.vmc);
	vmc_offload_drain(&b.vmc);
	vmc_run(&a.vmc);
	vmc_run(&b.vmc);
	answer(&h0);
	answer(&h1);
}

static void until(bool (*true_now)(void))
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct event *limit = evtimer_new(base, give_up, NULL);

	event_add(limit, &patience);
	while (!true_now()) {
		turn();
		usleep(1000);
	}
	event_free(limit);
}

static void files_of(const char *name, char f[3][PKI_PATH_LEN])
{
	snprintf(f[0], PKI_PATH_LEN, "%s/ca.crt", dir);
	snprintf(f[1], PKI_PATH_LEN, "%s/controller-%s.crt", dir, name);
	snprintf(f[2], PKI_PATH_LEN, "%s/controller-%s.key", dir, name);
}

static void serve(struct side *s, const char *name)
{
	char f[3][PKI_PATH_LEN];
	struct tls_files files = { f[0], f[1], f[2] };
	struct error e = {};

	files_of(name, f);
	if (channel_server_new(base, s->address, &files, &s->vmc, &s->server, &e))
		fail_msg("%s", e.text);
}

static void start(struct side *s, struct side *other, const char *name)
{
	const struct pki_request r = { .role = TLS_CONTROLLER, .name = name, .days = 2 };
	char f[3][PKI_PATH_LEN];
	struct tls_files files = { f[0], f[1], f[2] };
	struct channels_options o = { base, &files, take_orphan, s, &s->vmc };
	struct error e = {};

	files_of(name, f);
	if (pki_issue(dir, &r, &e))
		fail_msg("%s", e.text);
	s->other = other;
	snprintf(s->address, sizeof(s->address), "127.0.0.1:%d", free_port());
	s->vmc.o = (struct vmc_options){ .owns = owns, .say = say, .term = term,
					.agreed = agreed, .arg = s };
	vmc_setup(&s->vmc, &s->set, base);
	vmc_declare_fabric(&s->vmc, 3);
	vmc_begin(&s->vmc.engine, 0, 0);
	for (unsigned int i = 0; i < 3; i++)
		vmc_put(&s->vmc, &vmc_instance(i, i)->o);
	vmc_end(&s->vmc.engine, 3);
	vmc_run(&s->vmc);
	serve(s, name);
	if (channels_new(&o, &s->channels, &e))
		fail_msg("%s", e.text);
}

static bool are_up(void)
{
	return channels_up(a.channels, b.address) && channels_up(b.channels, a.address);
}

static int setup(void **state)
{
	struct error e = {};

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	strcpy(dir, "/tmp/mirach-channel.XXXXXX");
	if (!mkdtemp(dir) || pki_init(dir, 2, &e))
		return -1;
	base = event_base_new();
	start(&a, &b, "a");
	start(&b, &a, "b");
	attach(&h0, "h0");
	attach(&h1, "h1");
	until(are_up);
	return 0;
}

static void stop(struct side *s)
{
	channels_free(s->channels);
	channel_server_free(s->server);
	vmc_teardown(&s->vmc);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	vmc_detach(h0.session);
	vmc_detach(h1.session);
	stop(&a);
	stop(&b);
	objset_done(&h0.have);
	objset_done(&h1.have);
	objset_done(&h2.have);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* ---- what is tested ---- */

static bool has_permit(void) { return objset_find(&h1.have, "permit/t.n/10.0.0.1"); }
static bool has_direct(void) { return objset_find(&h0.have, "direct/t.n/10.0.0.1/10.0.0.2"); }
static bool has_none(void) { return !has_permit() && !has_direct(); }

static void test_pair(void **state)
{
	const struct msg_usage_pair heavy = { "t.n", "10.0.0.1", "10.0.0.2", 50000, false };
	cJSON *usage = msg_usage();
	struct error e = {};
	struct offload_stats st;

	(void)state;
	msg_usage_add(usage, &heavy);
	assert_int_equal(vmc_message(h0.session, usage, &e), 0);
	cJSON_Delete(usage);
	until(has_direct);
	assert_true(has_permit());		/* the receiver had it first */
	offload_stats(b.vmc.offload, &st);
	expect_int("pairs of the receiver's leader", st.n_pairs, 0);
	expect_int("its routes", st.n_routes, 1);

	vmc_begin(&a.vmc.engine, 0, 0);		/* the source moves: both sides see it, a gives it back */
	vmc_begin(&b.vmc.engine, 0, 0);
	vmc_put(&a.vmc, &vmc_instance(0, 2)->o);
	vmc_put(&b.vmc, &vmc_instance(0, 2)->o);
	vmc_end(&a.vmc.engine, 4);
	vmc_end(&b.vmc.engine, 4);
	until(has_none);
}

/* What a later version may say is ignored; who breaks the protocol loses the stream, and dials again. */
static bool is_down(void) { return !channels_up(a.channels, b.address); }

static void test_unknown_and_bad(void **state)
{
	(void)state;
	channels_say(a.channels, b.address, 'Z', 1, "{\"what\":\"ever\"}");
	channels_say(a.channels, b.address, PERMIT_WANTED, 1,
		     "{\"host\":\"h9\",\"network\":\"t.n\",\"src\":\"10.0.0.1\",\"from\":\"h0\"}");
	for (int i = 0; i < 200; i++)
		turn();
	assert_true(channels_up(a.channels, b.address));
	channels_say(a.channels, b.address, PERMIT_WANTED, 1, "{}");
	until(is_down);
	until(are_up);
}

/* A session whose leader is elsewhere: what h2 is to have arrives here; the leader's end loses it. */
static bool h2_told(void) { return h2.n_updates; }
static bool h2_lost(void) { return h2.lost; }

static void test_session_elsewhere(void **state)
{
	const struct ofe_upstream *up = channels_to(a.channels, b.address);
	struct error e = {};
	void *session = up->attach(up->arg, "h2", &h2.have.root, &front, &h2);

	(void)state;
	assert_non_null(session);
	until(h2_told);
	assert_non_null(objset_find(&h2.have, "vport/t.i2"));
	assert_int_equal(up->message(session, h2.ack, &e), 0);
	cJSON_Delete(h2.ack);
	h2.ack = NULL;
	channel_server_free(b.server);
	b.server = NULL;
	until(h2_lost);
	up->detach(session);
	assert_null(up->attach(up->arg, "h2", &h2.have.root, &front, &h2));
	serve(&b, "b");
	until(are_up);
}

/* Is @revision programmed at b's hosts? A track in hands that let go when it is, or an orphan. */
static void ask_b(struct programming *p, uint64_t revision)
{
	struct track *t = programming_open(p, 0);

	orphan_revision = 0;
	assert_true(channels_wait(a.channels, b.address, p, t, revision, 0));
	assert_true(channels_wait(a.channels, b.address, p, t, revision, 0));	/* asked once */
	programming_close(p, t, revision, 0);
	expect_int("held until b says so", (long)programming_stats(p).under_way, 1);
}

static struct programming *everywhere;
static bool is_everywhere(void) { return !programming_stats(everywhere).under_way; }
static bool is_asked(void) { return programming_stats(b.vmc.programming).waiting; }
static bool is_orphan(void) { return orphan_revision; }

/* Whoever waits is not told "programmed" when a host that lacks it goes to another leader. */
static void test_moved(void **state)
{
	(void)state;
	everywhere = programming_new(&(struct programming_options){});
	vmc_begin(&b.vmc.engine, 0, 0);
	vmc_put(&b.vmc, &vmc_instance(2, 1)->o);	/* h1 gets it, h2 is not connected */
	vmc_end(&b.vmc.engine, 5);
	vmc_run(&b.vmc);
	ask_b(everywhere, 5);
	until(is_asked);
	expect_int("h2 has not got it", is_orphan() || is_everywhere(), 0);
	b.led = "h1";
	vmc_shards_moved(&b.vmc);
	until(is_orphan);
	expect_int("of revision", (long)orphan_revision, 5);
	tracks_release(everywhere, &orphan, 0);

	disagreed = true;				/* what b leads is open */
	ask_b(everywhere, 6);
	until(is_orphan);
	tracks_release(everywhere, &orphan, 0);
	disagreed = false;
	ask_b(everywhere, 5);
	until(is_everywhere);
	expect_int("b's part is programmed", is_orphan(), 0);
	programming_free(everywhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_elsewhere),
		cmocka_unit_test(test_unknown_and_bad),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_moved),
	};

	return cmocka_run_group_tests_name("channel", tests, setup, teardown);
}
