/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * instance.c - one agent per socket
 */
#include <agent/instance.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int lock_path(const char *socket_path, char *ret, size_t len)
{
	return (size_t)snprintf(ret, len, "%s.lock", socket_path) < len ? 0 : -ENAMETOOLONG;
}

/* mkdir -p of the directory @path lies in. */
static int make_parents(const char *path)
{
	char copy[PATH_MAX], *slash;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	strcpy(copy, path);
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

static int refuse_second(const char *path, int fd, struct error *e)
{
	char pid[32];
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = 0;
	return error_set(e, -EBUSY, "another mirachd (pid %s) holds %s; stop it first, or give "
			 "this one its own agent.socket and agent.bpffs",
			 *pid ? pid : "unknown", path);
}

int instance_lock(const char *socket_path, int *ret_fd, struct error *e)
{
	char path[PATH_MAX], pid[32];
	int err, fd;

	err = lock_path(socket_path, path, sizeof(path));
	if (!err)
		err = make_parents(path);
	if (err)
		return error_set(e, err, "cannot make the directory of %s: %s", socket_path,
				 strerror(-err));

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = refuse_second(path, fd, e);
		close(fd);
		return err;
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, strlen(pid), 0) < 0) {
		err = error_set(e, -errno, "cannot write %s: %s", path, strerror(errno));
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

void instance_forget(const char *socket_path)
{
	char path[PATH_MAX];

	if (lock_path(socket_path, path, sizeof(path)))
		return;
	unlink(path);
	rmdir(dirname(path));	/* stays if anything else is in it */
}
