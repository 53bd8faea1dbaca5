/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checkpoint_file.c - files of checkpoints, and the thread that writes them
 *
 *	PATH.new ─write, fsync─► rename ─► PATH ─► fsync of the directory
 *
 * Main loop and thread share one slot under a lock: a text to write, and then the
 * outcome. The thread touches nothing else but what it is given to make the text of.
 */
#include <agent/checkpoint.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include <lib/clock.h>
#include <lib/log.h>

#define CHUNK (1u << 20)		/* text in memory until it is written */

struct checkpoint_writer {
	char path[PATH_MAX], path_new[PATH_MAX + 4], dir[PATH_MAX];
	checkpoint_written_fn written;
	void *arg;
	int done_fd;			/* eventfd: an outcome is there */
	struct event *done;
	pthread_t thread;
	bool running;
	bool busy;			/* main loop's: from checkpoint_write() until written() */
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	/* under the lock: */
	struct checkpoint_text text;	/* buf NULL: nothing to do */
	bool (*more)(struct checkpoint_text *t, void *arg);
	void *more_arg;
	bool stop;
	struct error outcome;
	uint64_t took_ns;
};

/* Reading. */

int checkpoint_load(const char *path, const char *host, const struct checkpoint_reader *r,
		    uint64_t *ret_revision, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;
	void *text;

	if (fd < 0)
		return error_set(e, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		err = error_set(e, -EBADMSG, "%s: is not a file", path);
	else if ((uint64_t)st.st_size > CHECKPOINT_SIZE_MAX)
		err = error_set(e, -EBADMSG, "%s: is larger than any checkpoint", path);
	else if (!st.st_size)
		err = error_set(e, -EBADMSG, "%s: is empty", path);
	if (err) {
		close(fd);
		return err;
	}
	text = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (text == MAP_FAILED)
		return error_set(e, -errno, "%s: %s", path, strerror(errno));
	err = checkpoint_parse(path, text, st.st_size, host, r, ret_revision, e);
	munmap(text, st.st_size);
	return err;
}

void checkpoint_set_aside(const char *path)
{
	char aside[PATH_MAX + 16];

	snprintf(aside, sizeof(aside), "%s.refused", path);
	if (rename(path, aside))
		log_warn("cannot set the checkpoint aside", "path", path, "error", strerror(errno));
	else
		log_warn("checkpoint set aside", "path", aside);
}

/* Writing, on the thread. */

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= n;
	}
	return 0;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

static int write_taken(int fd, struct checkpoint_text *t)
{
	int err = write_all(fd, t->buf, t->len);

	checkpoint_taken(t);
	return err;
}

/* Makes and writes in turn. */
static int write_text(const struct checkpoint_writer *w, int fd, struct checkpoint_text *t)
{
	bool more = w->more;
	int err = 0;

	while (more && !err && !t->failed) {
		more = w->more(t, w->more_arg);
		if (t->len >= CHUNK)
			err = write_taken(fd, t);
	}
	return err ?: checkpoint_end(t) ?: write_all(fd, t->buf, t->len);
}

static int write_file(const struct checkpoint_writer *w, struct checkpoint_text *t)
{
	int fd = open(w->path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return -errno;
	err = write_text(w, fd, t);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(w->path_new, w->path))
		err = -errno;
	if (err) {
		unlink(w->path_new);
		return err;
	}
	return sync_dir(w->dir);
}

static void *run(void *arg)
{
	struct checkpoint_writer *w = arg;

	pthread_setname_np(pthread_self(), "mirach-disk");
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct checkpoint_text t;
		uint64_t began;
		int err;

		while (!w->text.buf && !w->stop)
			pthread_cond_wait(&w->wanted, &w->lock);
		if (!w->text.buf)
			break;
		t = w->text;
		pthread_mutex_unlock(&w->lock);
		began = clock_now_ns();
		err = write_file(w, &t);
		checkpoint_text_done(&t);
		pthread_mutex_lock(&w->lock);
		w->text = (struct checkpoint_text){};
		w->took_ns = clock_now_ns() - began;
		w->outcome = (struct error){};
		if (err)
			error_set(&w->outcome, err, "cannot write %s: %s", w->path, strerror(-err));
		eventfd_write(w->done_fd, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Main loop. */

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	struct checkpoint_writer *w = arg;
	struct error outcome;
	eventfd_t n;
	uint64_t took;

	(void)what;
	if (eventfd_read(fd, &n))
		return;
	pthread_mutex_lock(&w->lock);
	outcome = w->outcome;
	took = w->took_ns;
	pthread_mutex_unlock(&w->lock);
	w->busy = false;
	w->written(&outcome, took, w->arg);
}

bool checkpoint_writer_busy(const struct checkpoint_writer *w)
{
	return w->busy;
}

void checkpoint_write(struct checkpoint_writer *w, struct checkpoint_text *t,
		      bool (*more)(struct checkpoint_text *t, void *arg), void *arg)
{
	w->busy = true;
	pthread_mutex_lock(&w->lock);
	w->text = *t;
	w->more = more;
	w->more_arg = arg;
	pthread_cond_signal(&w->wanted);
	pthread_mutex_unlock(&w->lock);
	*t = (struct checkpoint_text){};
}

static int make_dir(const char *dir)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", dir);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(copy, 0700) && errno != EEXIST ? -errno : 0;
}

static int start(struct checkpoint_writer *w, struct event_base *base)
{
	sigset_t all, before;
	int err;

	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->done_fd < 0)
		return -errno;
	w->done = event_new(base, w->done_fd, EV_READ | EV_PERSIST, on_done, w);
	if (!w->done || event_add(w->done, NULL))
		return -ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->running = !err;
	return -err;
}

int checkpoint_writer_new(struct event_base *base, const char *path, checkpoint_written_fn written,
			  void *arg, struct checkpoint_writer **ret, struct error *e)
{
	struct checkpoint_writer *w = calloc(1, sizeof(*w));
	char copy[PATH_MAX];
	int err;

	if (!w)
		return error_set(e, -ENOMEM, "no memory");
	w->written = written;
	w->arg = arg;
	w->done_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wanted, NULL);
	snprintf(w->path, sizeof(w->path), "%s", path);
	snprintf(w->path_new, sizeof(w->path_new), "%s.new", path);
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(w->dir, sizeof(w->dir), "%s", dirname(copy));
	err = make_dir(w->dir);
	if (err)
		error_set(e, err, "cannot make %s: %s", w->dir, strerror(-err));
	else if ((err = start(w, base)))
		error_set(e, err, "cannot write checkpoints: %s", strerror(-err));
	if (err)
		checkpoint_writer_free(w);
	else
		*ret = w;
	return err;
}

void checkpoint_writer_free(struct checkpoint_writer *w)
{
	if (!w)
		return;
	if (w->running) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->wanted);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	if (w->done)
		event_free(w->done);
	if (w->done_fd >= 0)
		close(w->done_fd);
	checkpoint_text_done(&w->text);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wanted);
	free(w);
}
