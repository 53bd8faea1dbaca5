/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin.c - the agent's unix socket
 *
 *	listener ─► connection: bytes ─► decoder ─► operation ─► reply
 *
 * A connection answers in order and one request at a time: while an operation
 * waits for its second half, or the peer has not taken its replies, nothing more
 * is read. So what a peer can make the agent hold is bounded: CONNS_MAX
 * connections of REQUEST_MAX bytes in and about OUTPUT_MAX bytes out.
 *
 * See also: admin_ops.h (operations), docs/admin-protocol.md.
 */
#include <agent/admin.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <lib/frame.h>
#include <lib/log.h>

#define CONNS_MAX 32
#define REQUEST_MAX (256u << 10)	/* of one connection, not yet answered */
#define READ_CHUNK (64u << 10)
#define OUTPUT_MAX (32u << 20)
#define BACKLOG 64
#define REQUESTS_PER_TURN 16		/* of one connection, then the others and the loop have a go */
#define LINGER_S 2
#define GROUPS_MAX 256

struct admin {
	struct agent *agent;
	struct evconnlistener *listener;
	struct conn *conns;		/* list */
	unsigned int n_conns;
	char *path;
	gid_t group;			/* (gid_t)-1: none */
};

struct conn {
	struct admin *admin;
	struct conn *prev, *next;
	struct bufferevent *bev;
	struct frame_decoder in;
	struct event *timer;		/* of the pending second half */
	struct admin_later later;	/* delay_ms 0: nothing is pending */
	bool closing;			/* the last reply is on its way, what still comes is thrown away */
};

static void later_done(struct conn *c)
{
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
	if (c->later.drop)
		c->later.drop(c->later.state);
	c->later = (struct admin_later){};
}

static void conn_free(struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->admin->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->admin->n_conns--;
	later_done(c);
	bufferevent_free(c->bev);
	frame_decoder_done(&c->in);
	free(c);
}

static size_t output_len(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

/*
 * No more requests. The last reply goes out first, and the peer must hang up or be
 * cut off: a socket closed with bytes unread would take the reply with it.
 */
static void conn_close(struct conn *c)
{
	const struct timeval patience = { .tv_sec = LINGER_S };

	c->closing = true;
	bufferevent_set_timeouts(c->bev, &patience, &patience);
	bufferevent_enable(c->bev, EV_READ);
	bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* Takes over @reply. */
static void conn_send(struct conn *c, cJSON *reply)
{
	unsigned char *bytes;
	size_t len;

	if (frame_encode(reply, &bytes, &len)) {
		struct error e;
		cJSON *small;

		error_set(&e, -EMSGSIZE, "the answer is too large; ask for less at a time");
		small = admin_reply_error(&e);
		if (frame_encode(small, &bytes, &len))
			bytes = NULL;
		cJSON_Delete(small);
	}
	cJSON_Delete(reply);
	if (!bytes) {
		conn_close(c);
		return;
	}
	bufferevent_write(c->bev, bytes, len);
	free(bytes);
}

static void conn_answer(struct conn *c, int err, cJSON *result, struct error *e)
{
	if (!err) {
		conn_send(c, admin_reply_ok(result));
		return;
	}
	cJSON_Delete(result);
	if (e->err != err)
		error_set(e, err, "%s", strerror(-err));
	conn_send(c, admin_reply_error(e));
}

static void conn_work(struct conn *c);

static void later_finish(evutil_socket_t fd, short what, void *arg);

static int later_arm(struct conn *c)
{
	const struct timeval delay = {
		.tv_sec = c->later.delay_ms / 1000,
		.tv_usec = c->later.delay_ms % 1000 * 1000,
	};

	if (!c->timer)
		c->timer = evtimer_new(c->admin->agent->base, later_finish, c);
	return c->timer && !evtimer_add(c->timer, &delay) ? 0 : -ENOMEM;
}

static void later_finish(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	cJSON *result = cJSON_CreateObject();
	struct error e = {};
	int err;

	(void)fd, (void)what;
	err = c->later.finish(c->admin->agent, c->later.state, result, &e);
	if (err == -EAGAIN && !later_arm(c)) {
		cJSON_Delete(result);
		return;
	}
	later_done(c);
	conn_answer(c, err, result, &e);
	conn_work(c);
}

static void conn_request(struct conn *c, const cJSON *request)
{
	cJSON *result = cJSON_CreateObject();
	const struct admin_op *op;
	struct error e = {};
	const cJSON *args;
	int err;

	err = admin_find(request, &op, &args, &e);
	if (!err)
		err = op->run(c->admin->agent, args, result, &c->later, &e);
	if (!err && c->later.delay_ms) {
		err = later_arm(c);
		if (!err) {
			cJSON_Delete(result);
			return;
		}
		later_done(c);
	}
	conn_answer(c, err, result, &e);
}

/* Answers what has been read, as far as the peer takes answers. Reading goes on when all is done. */
static void conn_work(struct conn *c)
{
	struct error e = {};
	unsigned int n = 0;
	cJSON *request;

	while (!c->later.delay_ms && !c->closing && output_len(c) < OUTPUT_MAX) {
		int got;

		if (n++ == REQUESTS_PER_TURN) {
			bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
			return;
		}
		got = frame_decoder_next(&c->in, &request, &e);

		if (!got) {
			bufferevent_enable(c->bev, EV_READ);
			return;
		}
		if (got < 0) {
			conn_send(c, admin_reply_error(&e));
			conn_close(c);
		} else {
			conn_request(c, request);
			cJSON_Delete(request);
		}
	}
	if (!c->closing)
		bufferevent_disable(c->bev, EV_READ);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct conn *c = arg;
	struct error e = {};
	int err = 0;

	if (c->closing) {
		evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	while (!err && evbuffer_get_length(input)) {
		unsigned char chunk[4096];
		int n = evbuffer_remove(input, chunk, sizeof(chunk));

		if (c->in.len + n > REQUEST_MAX)
			err = error_set(&e, -EMSGSIZE, "requests have at most %u KiB",
					REQUEST_MAX >> 10);
		else
			err = frame_decoder_feed(&c->in, chunk, n, &e);
	}
	if (err) {
		conn_send(c, admin_reply_error(&e));
		conn_close(c);
		return;
	}
	conn_work(c);
}

/* The output is empty. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (!c->closing)
		conn_work(c);
	else if (!output_len(c))
		shutdown(bufferevent_getfd(bev), SHUT_WR);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		conn_free(arg);
}

/* Who may ask. */

static bool in_group(uid_t uid, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;
	struct passwd *pw;

	if (primary == group)
		return true;
	pw = getpwuid(uid);
	if (!pw || getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool peer_allowed(const struct admin *admin, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	if (!peer.uid || peer.uid == geteuid())
		return true;
	if (admin->group != (gid_t)-1 && in_group(peer.uid, peer.gid, admin->group))
		return true;
	log_warn("refused a peer of the admin socket", "uid", log_fmt("%u", peer.uid),
		 "pid", log_fmt("%d", peer.pid));
	return false;
}

/* Best effort: the socket is fresh, so a short message fits its buffer. */
static void refuse(int fd, int err, const char *why)
{
	struct error e;
	cJSON *reply;

	error_set(&e, err, "%s", why);
	reply = admin_reply_error(&e);
	frame_write(fd, reply, &e);
	cJSON_Delete(reply);
	close(fd);
}

static struct conn *conn_new(struct admin *admin, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->bev = bufferevent_socket_new(admin->agent->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		free(c);
		return NULL;
	}
	c->admin = admin;
	c->next = admin->conns;
	if (c->next)
		c->next->prev = c;
	admin->conns = c;
	admin->n_conns++;
	frame_decoder_init(&c->in);
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, READ_CHUNK);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return c;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct admin *admin = arg;

	(void)l, (void)sa, (void)len;
	if (!peer_allowed(admin, fd))
		refuse(fd, -EACCES, "you are neither root nor in agent.socket_group");
	else if (admin->n_conns >= CONNS_MAX)
		refuse(fd, -EBUSY, "too many connections to this agent");
	else if (!conn_new(admin, fd))
		close(fd);
}

/* The socket. */

static int find_group(const char *name, gid_t *ret, struct error *e)
{
	struct group *g;

	*ret = (gid_t)-1;
	if (!name)
		return 0;
	g = getgrnam(name);
	if (!g)
		return error_set(e, -ENOENT, "agent.socket_group: there is no group %s", name);
	*ret = g->gr_gid;
	return 0;
}

/*
 * Returns the socket or -errno. A file left by an agent that was killed is in the
 * way; instance.h says that nobody uses it.
 */
static int bind_socket(const char *path, gid_t group, struct error *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int err, fd;
	mode_t mask;

	if (strlen(path) >= sizeof(sun.sun_path))
		return error_set(e, -ENAMETOOLONG, "agent.socket: %s is longer than %zu bytes", path,
				 sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot make a socket: %s", strerror(errno));

	unlink(path);
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) ? -errno : 0;
	umask(mask);
	if (!err && group != (gid_t)-1)
		err = chown(path, -1, group) || chmod(path, 0660) ? -errno : 0;
	if (err) {
		close(fd);
		return error_set(e, err, "cannot listen on %s: %s", path, strerror(-err));
	}
	return fd;
}

static int admin_listen(struct admin *admin, struct error *e)
{
	int err, fd;

	fd = bind_socket(admin->path, admin->group, e);
	if (fd < 0)
		return fd;
	admin->listener = evconnlistener_new(admin->agent->base, on_accept, admin,
					     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG,
					     fd);
	if (admin->listener)
		return 0;
	err = error_set(e, -errno ?: -ENOMEM, "cannot listen on %s: %s", admin->path,
			strerror(errno));
	close(fd);
	return err;
}

int admin_new(struct agent *a, const char *path, const char *group, struct admin **ret,
	      struct error *e)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int err;

	if (!admin)
		return error_set(e, -ENOMEM, "out of memory");
	admin->agent = a;
	err = find_group(group, &admin->group, e);
	if (err)
		goto free_admin;
	admin->path = strdup(path);
	if (!admin->path) {
		err = error_set(e, -ENOMEM, "out of memory");
		goto free_admin;
	}
	err = admin_listen(admin, e);
	if (err)
		goto free_path;
	*ret = admin;
	return 0;

free_path:
	free(admin->path);
free_admin:
	free(admin);
	return err;
}

void admin_free(struct admin *admin)
{
	if (!admin)
		return;
	while (admin->conns)
		conn_free(admin->conns);
	evconnlistener_free(admin->listener);
	unlink(admin->path);
	free(admin->path);
	free(admin);
}
