// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_pin.c - the agent's directory in a bpffs: made, locked, emptied, removed
 *
 *	<dir>/maps/abi          the mark of a complete set: pinned last, removed first
 *	<dir>/maps/<map>
 *	<dir>/links/<port>
 *
 * Because of that order, pins without the mark are what an agent left behind
 * that was killed while it made or removed a set. Nobody adopts them; the next
 * agent removes them.
 *
 * A lock on the directory keeps two agents from writing one set of maps. It
 * goes away with the process that holds it, however that ends.
 *
 * A bpffs is mounted only where none is: at /sys/fs/bpf if the directory lies
 * there, for that is where everybody expects one, otherwise at the directory
 * itself. Such a mount carries the name "mirach" as its source; by it teardown
 * knows its own.
 *
 * See also: dp.c (when each of these is called).
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SHARED_BPFFS "/sys/fs/bpf"
#define MOUNT_SOURCE "mirach"

int dp_pin_dir(const char *dir, char ret[DP_DIR_MAX], struct error *e)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (dir[0] != '/' || len < 2)
		return error_set(e, -EINVAL, "bpffs directory \"%s\" must be an absolute path",
				 dir);
	if (len >= DP_DIR_MAX)
		return error_set(e, -ENAMETOOLONG, "bpffs directory is longer than %d bytes",
				 DP_DIR_MAX - 1);
	memcpy(ret, dir, len);
	ret[len] = '\0';
	return 0;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* Cuts @path down to the deepest directory that exists. */
static void existing_part(char *path)
{
	char *slash;

	while (access(path, F_OK) < 0) {
		slash = strrchr(path, '/');
		if (slash == path) {
			path[1] = '\0';
			return;
		}
		*slash = '\0';
	}
}

static int make_dir(const char *path, struct error *e)
{
	const char *name = strrchr(path, '/') + 1;

	if (!mkdir(path, 0755) || errno == EEXIST)
		return 0;
	if (errno == EPERM && strchr(name, '.'))
		return error_set(e, -EINVAL,
				 "cannot make %s: names in a bpffs must not contain a dot", path);
	return error_set(e, -errno, "cannot make directory %s: %s", path, strerror(errno));
}

/* mkdir -p. */
static int make_dirs(const char *dir, struct error *e)
{
	char path[DP_DIR_MAX];
	char *slash;
	int err;

	strcpy(path, dir);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		err = make_dir(path, e);
		if (err)
			return err;
		*slash = '/';
	}
	return make_dir(path, e);
}

/* Calls @fn for each entry of @dir but "." and ".."; a missing directory has none. */
static int each_entry(const char *dir, int (*fn)(const char *path, struct error *e),
		      struct error *e)
{
	char path[PATH_MAX];
	struct dirent *d;
	int err = 0;
	DIR *dp;

	dp = opendir(dir);
	if (!dp)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
		       error_set(e, -errno, "cannot read %s: %s", dir, strerror(errno));
	while (!err && (d = readdir(dp))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		err = fn(path, e);
	}
	closedir(dp);
	return err;
}

static int found_one(const char *path, struct error *e)
{
	(void)path;
	(void)e;
	return -EEXIST;
}

static bool is_empty(const char *dir)
{
	return !each_entry(dir, found_one, NULL);
}

/* The kernel puts files with a dot in their name (maps.debug) into a new bpffs; nobody else can. */
static int found_pin(const char *path, struct error *e)
{
	(void)e;
	return strchr(strrchr(path, '/'), '.') ? 0 : -EEXIST;
}

static bool is_free_of_pins(const char *dir)
{
	return !each_entry(dir, found_pin, NULL);
}

static int mount_bpffs(const char *path, struct error *e)
{
	if (!is_empty(path))
		return error_set(e, -ENOTEMPTY,
				 "%s is an ordinary directory with files in it: name a new one, or "
				 "mount a bpffs there", path);
	if (!mount(MOUNT_SOURCE, path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return 0;
	return error_set(e, -errno, "cannot mount a bpffs at %s: %s%s", path, strerror(errno),
			 errno == EPERM ? " (CAP_SYS_ADMIN is needed, or mount it beforehand: "
					  "mount -t bpf bpf " SHARED_BPFFS ")" :
			 errno == ENODEV ? " (the kernel has no CONFIG_BPF_SYSCALL)" : "");
}

static int make_bpffs(const char *dir, struct error *e)
{
	char there[DP_DIR_MAX];
	int err;

	strcpy(there, dir);
	existing_part(there);
	if (is_bpffs(there))
		return make_dirs(dir, e);
	if (!strcmp(there, SHARED_BPFFS)) {
		err = mount_bpffs(there, e);
		return err ? err : make_dirs(dir, e);
	}
	err = make_dirs(dir, e);
	return err ? err : mount_bpffs(dir, e);
}

int dp_pin_prepare(const char *dir, struct error *e)
{
	char path[PATH_MAX];
	int err;

	err = make_bpffs(dir, e);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/maps", dir);
	err = make_dir(path, e);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/links", dir);
	return make_dir(path, e);
}

/* A predecessor that was killed a moment ago may still be on its way out: allows it a second. */
static bool lock_patiently(int fd)
{
	int patience = 20;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (!patience--)
			return false;
		usleep(50000);
	}
	return true;
}

int dp_pin_lock(const char *dir, int *ret_fd, struct error *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(e, -errno, "cannot open %s: %s", dir, strerror(errno));
	if (!lock_patiently(fd)) {
		close(fd);
		return error_set(e, -EBUSY, "another agent works with %s: stop it first, or give "
				 "this one a directory of its own (agent.bpffs)", dir);
	}
	*ret_fd = fd;
	return 0;
}

bool dp_pin_any(const char *dir)
{
	char maps[PATH_MAX], links[PATH_MAX];

	snprintf(maps, sizeof(maps), "%s/maps", dir);
	snprintf(links, sizeof(links), "%s/links", dir);
	return !is_free_of_pins(maps) || !is_free_of_pins(links);
}

static int remove_map(const char *path, struct error *e)
{
	if (!unlink(path) || errno == ENOENT)
		return 0;
	return error_set(e, -errno, "cannot remove %s: %s", path, strerror(errno));
}

static int remove_link(const char *path, struct error *e)
{
	int fd = bpf_obj_get(path);
	int err;

	if (fd < 0)
		return error_set(e, fd, "cannot open the link %s: %s", path, strerror(-fd));
	err = dp_link_remove(fd, path);
	return err ? error_set(e, err, "cannot remove %s: %s", path, strerror(-err)) : 0;
}

int dp_pin_clear(const char *dir, struct error *e)
{
	char maps[PATH_MAX], links[PATH_MAX], abi[PATH_MAX];
	int err;

	snprintf(maps, sizeof(maps), "%s/maps", dir);
	snprintf(abi, sizeof(abi), "%s/maps/abi", dir);
	snprintf(links, sizeof(links), "%s/links", dir);
	err = remove_map(abi, e);
	if (!err)
		err = each_entry(links, remove_link, e);
	if (!err)
		err = each_entry(maps, remove_map, e);
	return err;
}

static int not_empty(const char *path, struct error *e)
{
	return error_set(e, -ENOTEMPTY,
			 "%s holds something that Mirach did not put there: remove that by hand",
			 path);
}

/* EBUSY: somebody else's mount point, which stays. */
static int remove_dir(const char *path, struct error *e)
{
	if (!rmdir(path) || errno == ENOENT || errno == EBUSY)
		return 0;
	if (errno == ENOTEMPTY)
		return not_empty(path, e);
	return error_set(e, -errno, "cannot remove directory %s: %s", path, strerror(errno));
}

/* True if what is mounted at @path, uppermost, is a bpffs that dp_pin_prepare() put there. */
static bool is_own_mount(const char *path)
{
	char real[PATH_MAX];
	struct mntent *m;
	bool own = false;
	FILE *mounts;

	if (!realpath(path, real))
		return false;
	mounts = setmntent("/proc/self/mounts", "r");
	if (!mounts)
		return false;
	while ((m = getmntent(mounts)))
		if (!strcmp(m->mnt_dir, real))
			own = !strcmp(m->mnt_type, "bpf") && !strcmp(m->mnt_fsname, MOUNT_SOURCE);
	endmntent(mounts);
	return own;
}

/* A bpffs shared with others goes only when they have left it. */
static int remove_mount(const char *path, struct error *e)
{
	if (!is_own_mount(path))
		return 0;
	if (!is_free_of_pins(path))
		return strcmp(path, SHARED_BPFFS) ? not_empty(path, e) : 0;
	if (!umount2(path, UMOUNT_NOFOLLOW))
		return 0;
	return error_set(e, -errno, "cannot unmount the bpffs at %s: %s", path, strerror(errno));
}

/* Removes the two folders, the mount if it was ours, and the directory. */
static int remove_tree(const char *dir, struct error *e)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/links", dir);
	err = remove_dir(path, e);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/maps", dir);
	err = remove_dir(path, e);
	if (!err)
		err = remove_mount(dir, e);
	if (!err && strcmp(dir, SHARED_BPFFS))
		err = remove_dir(dir, e);
	return err;
}

/* Empties @dir with nobody working with it. */
static int empty_dir(const char *dir, struct error *e)
{
	int fd, err;

	if (!is_bpffs(dir))
		return 0;
	err = dp_pin_lock(dir, &fd, e);
	if (err)
		return err;
	err = dp_pin_clear(dir, e);
	close(fd);
	return err;
}

int dp_teardown(const char *name, struct error *e)
{
	char dir[DP_DIR_MAX];
	int err;

	err = dp_pin_dir(name, dir, e);
	if (err)
		return err;
	if (access(dir, F_OK) == 0) {
		err = empty_dir(dir, e);
		if (!err)
			err = remove_tree(dir, e);
	}
	if (!err && !strncmp(dir, SHARED_BPFFS "/", strlen(SHARED_BPFFS "/")))
		err = remove_mount(SHARED_BPFFS, e);
	return err;
}
