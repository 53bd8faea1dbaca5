/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_host.c - the host: kernel, BPF, memory, capabilities, AF_XDP
 *
 * Each check is a function, and doctor_host() is their list. Whether a kernel
 * feature is there is found by trying it (libbpf's probes load a program of two
 * instructions and drop it), not by its version.
 */
#include <ctl/cli/doctor.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <netlink/route/link/veth.h>

#include <lib/error.h>
#include <lib/netlink.h>
#include <lib/privileges.h>

#define BPFFS "/sys/fs/bpf"
#define MEMORY_WANTED (128ull << 20)	/* maps at default sizes, AF_XDP frames, and some room */
#define UMEM_BYTES (32ull << 20)

/* First line of a file without its newline; "" if it cannot be read. */
static const char *read_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");

	buf[0] = 0;
	if (!f)
		return buf;
	if (fgets(buf, len, f))
		buf[strcspn(buf, "\n")] = 0;
	fclose(f);
	return buf;
}

static void check_kernel(struct doctor *d)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	if (major > 6 || (major == 6 && minor >= 1))
		doctor_add(d, DOCTOR_OK, "kernel", NULL, "%s", u.release);
	else if (major > 5 || (major == 5 && minor >= 18))
		doctor_add(d, DOCTOR_UNKNOWN, "kernel", "use 6.1 or newer",
			   "%s: has what is needed but is not tested with", u.release);
	else
		doctor_add(d, DOCTOR_REFUSED, "kernel", "use 6.1 or newer",
			   "%s: XDP programs for multi-buffer frames came with 5.18", u.release);
}

static void check_btf(struct doctor *d)
{
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		doctor_add(d, DOCTOR_OK, "BTF", NULL, "the kernel describes its types");
	else
		doctor_add(d, DOCTOR_UNKNOWN, "BTF", "use a kernel with CONFIG_DEBUG_INFO_BTF=y",
			   "/sys/kernel/btf/vmlinux is missing; tools that inspect programs will "
			   "show less");
}

static void check_bpffs(struct doctor *d)
{
	struct statfs fs;

	if (!statfs(BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC)
		doctor_add(d, DOCTOR_OK, "bpffs", NULL, "mounted on " BPFFS);
	else
		doctor_add(d, DOCTOR_OK, "bpffs", "mount -t bpf bpf " BPFFS " (at boot, so that other "
			   "tools see the pins, too)", "not mounted on " BPFFS "; mirachd will mount "
			   "one");
}

static void check_jit(struct doctor *d)
{
	char on[16];

	read_line("/proc/sys/net/core/bpf_jit_enable", on, sizeof(on));
	if (*on == '0')
		doctor_add(d, DOCTOR_SLOW, "JIT", "sysctl -w net.core.bpf_jit_enable=1",
			   "off: programs are interpreted, several times slower");
	else if (*on)
		doctor_add(d, DOCTOR_OK, "JIT", NULL, "on");
	else
		doctor_add(d, DOCTOR_UNKNOWN, "JIT", "run as root", "cannot be read");
}

static void check_lockdown(struct doctor *d)
{
	char line[128], mode[32] = "none", *open;

	read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	open = strchr(line, '[');
	if (open)
		sscanf(open, "[%31[^]]", mode);
	doctor_add(d, DOCTOR_OK, "lockdown", NULL, "%s%s", mode,
		   strcmp(mode, "none") ? ": XDP is not affected, tracing tools are" : "");
}

static void check_privileges(struct doctor *d)
{
	for (const struct privilege *p = privileges; p->name; p++) {
		if (privilege_held(p))
			doctor_add(d, DOCTOR_OK, "privilege", NULL, "%s", p->name);
		else
			doctor_add(d, DOCTOR_REFUSED, "privilege",
				   "run as root, or AmbientCapabilities= in the unit",
				   "this process lacks %s, which mirachd needs %s", p->name, p->why);
	}
}

/* BPF features, by trying. */

static void probe(struct doctor *d, int result, const char *what, const char *remedy)
{
	if (result > 0)
		doctor_add(d, DOCTOR_OK, "BPF", NULL, "%s", what);
	else if (!result)
		doctor_add(d, DOCTOR_REFUSED, "BPF", remedy, "the kernel has no %s", what);
	else
		doctor_add(d, DOCTOR_UNKNOWN, "BPF", "run as root", "%s: cannot be tried (%s)", what,
			   strerror(-result));
}

static void check_bpf(struct doctor *d)
{
	const struct privilege load = { CAP_BPF, "", "" };
	static const struct {
		enum bpf_map_type type;
		const char *what, *remedy;
	} maps[] = {
		{ BPF_MAP_TYPE_DEVMAP, "map type devmap", "CONFIG_BPF_SYSCALL=y, CONFIG_NET=y" },
		{ BPF_MAP_TYPE_XSKMAP, "map type xskmap", "CONFIG_XDP_SOCKETS=y" },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, "map type percpu_array", "use 6.1 or newer" },
		{ BPF_MAP_TYPE_RINGBUF, "map type ringbuf", "use 5.8 or newer" },
	};
	static const struct {
		enum bpf_func_id helper;
		const char *what, *remedy;
	} helpers[] = {
		{ BPF_FUNC_redirect_map, "helper bpf_redirect_map", "use 6.1 or newer" },
		{ BPF_FUNC_xdp_adjust_head, "helper bpf_xdp_adjust_head", "use 6.1 or newer" },
		{ BPF_FUNC_xdp_load_bytes, "helper bpf_xdp_load_bytes", "use 5.18 or newer" },
		{ BPF_FUNC_ringbuf_reserve, "helper bpf_ringbuf_reserve", "use 5.8 or newer" },
	};

	if (!privilege_held(&load)) {
		doctor_add(d, DOCTOR_UNKNOWN, "BPF", "run as root", "its features cannot be tried");
		return;
	}
	libbpf_set_print(NULL);
	probe(d, libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL), "program type xdp",
	      "CONFIG_BPF_SYSCALL=y, CONFIG_NET=y");
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		probe(d, libbpf_probe_bpf_map_type(maps[i].type, NULL), maps[i].what, maps[i].remedy);
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		probe(d, libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, helpers[i].helper, NULL),
		      helpers[i].what, helpers[i].remedy);
}

static void check_af_xdp(struct doctor *d)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		close(fd);
		doctor_add(d, DOCTOR_OK, "AF_XDP", NULL, "sockets can be made");
	} else if (errno == EPERM || errno == EACCES) {
		doctor_add(d, DOCTOR_REFUSED, "AF_XDP", "run with CAP_NET_RAW", "not permitted");
	} else {
		doctor_add(d, DOCTOR_REFUSED, "AF_XDP", "use a kernel with CONFIG_XDP_SOCKETS=y",
			   "the kernel has none; flow misses could not be answered");
	}
}

/* The hub is a veth pair. One is made in a namespace that ends with the child. */
static int try_veth(void)
{
	struct nl_sock *sock;
	struct error e;

	if (unshare(CLONE_NEWNET))
		return -errno;
	if (netlink_open(&sock, &e))
		return e.err;
	return netlink_errno(rtnl_link_veth_add(sock, "near", "far", getpid()));
}

static void check_veth(struct doctor *d)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child)
		_exit(-try_veth() & 0xff);
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		doctor_add(d, DOCTOR_UNKNOWN, "veth", NULL, "cannot be tried");
	else if (WEXITSTATUS(status) == EPERM)
		doctor_add(d, DOCTOR_UNKNOWN, "veth", "run as root", "cannot be tried");
	else if (WEXITSTATUS(status))
		doctor_add(d, DOCTOR_REFUSED, "veth", "modprobe veth (CONFIG_VETH)",
			   "the hub needs veth devices: %s", strerror(WEXITSTATUS(status)));
	else
		doctor_add(d, DOCTOR_OK, "veth", NULL, "pairs can be made, for the hub");
}

/* Memory. Maps are charged to the cgroup since 5.11, AF_XDP's frames to RLIMIT_MEMLOCK. */

static void check_memlock(struct doctor *d)
{
	const struct privilege lock = { CAP_IPC_LOCK, "", "" };
	struct rlimit limit = {};

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (privilege_held(&lock) || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur >= UMEM_BYTES)
		doctor_add(d, DOCTOR_OK, "memlock", NULL, "no limit that matters");
	else
		doctor_add(d, DOCTOR_REFUSED, "memlock", "LimitMEMLOCK=infinity in the unit, or ulimit -l",
			   "%llu KiB: AF_XDP frames take %llu MiB",
			   (unsigned long long)limit.rlim_cur >> 10, UMEM_BYTES >> 20);
}

/* The process's own limit on cgroup v2; 0: none, or not to be read. */
static unsigned long long cgroup_limit(void)
{
	char line[512], path[600], value[64];
	char *group;

	read_line("/proc/self/cgroup", line, sizeof(line));
	group = !strncmp(line, "0::", 3) ? line + 3 : NULL;
	if (!group)
		return 0;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
	return strtoull(read_line(path, value, sizeof(value)), NULL, 10);
}

static void check_cgroup(struct doctor *d)
{
	unsigned long long limit = cgroup_limit();

	if (limit && limit < MEMORY_WANTED)
		doctor_add(d, DOCTOR_REFUSED, "cgroup", "raise MemoryMax= of the unit",
			   "memory.max is %llu MiB, and maps are charged to it: %llu MiB are wanted "
			   "for 65536 flows", limit >> 20, MEMORY_WANTED >> 20);
	else
		doctor_add(d, DOCTOR_OK, "cgroup", NULL, "no memory limit that matters");
}

static void (*const checks[])(struct doctor *d) = {
	check_kernel, check_privileges, check_bpf,    check_jit,      check_btf,
	check_bpffs,  check_lockdown,	check_af_xdp, check_veth,     check_memlock,
	check_cgroup,
};

void doctor_host(struct doctor *d)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](d);
}
