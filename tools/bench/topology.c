#include "topology.h"
#include "spawn.h"
#include <fcntl.h>
#include <stdarg.h>

/* Addresses of RFC 5737: nobody's, and nobody else is in these namespaces. */
#define CLIENT_ADDR	 "192.0.2.1"
#define RELAY_ADDR	 "192.0.2.2" /* towards the client */
#define RELAY_FAR_ADDR	 "198.51.100.1"
#define ORIGIN_ADDR	 "198.51.100.2"
#define FIRST_PORT	 4001 /* below the ports that connections take */
#define PORTS_MAX	 12000
#define CONNECTION_PORTS "16384 65535"

static const char *const place_addrs[PLACES] = {CLIENT_ADDR, RELAY_ADDR, ORIGIN_ADDR};

int topology_parse(const char *name, bool *ret_remote)
{
	if (strcmp(name, "local") != 0 && strcmp(name, "remote") != 0)
		return -EINVAL;
	*ret_remote = strcmp(name, "remote") == 0;
	return 0;
}

static int fail(struct topology *t, int err, const char *what)
{
	snprintf(t->why, sizeof(t->why), "%s: %s%s", what, strerror(-err),
		err == -EPERM ? " (network namespaces are made as root)" : "");
	return err;
}

static int enter(const struct topology *t, enum place where)
{
	return setns(t->fds[where], CLONE_NEWNET) ? -errno : 0;
}

static int ip(struct topology *t, enum place where, const char *fmt, ...) printf_like(3, 4);

/* Runs `ip` in a namespace; it prints nothing when all is well. */
static int ip(struct topology *t, enum place where, const char *fmt, ...)
{
	char command[256] = "ip ", said[120] = "";
	va_list args;
	FILE *f;
	int err = enter(t, where), status;

	if (err)
		return fail(t, err, "setns");
	va_start(args, fmt);
	vsnprintf(command + 3, sizeof(command) - 10, fmt, args);
	va_end(args);
	strncat(command, " 2>&1", sizeof(command) - strlen(command) - 1);
	f = popen(command, "re");
	if (!f)
		return fail(t, -errno, command);
	if (fgets(said, sizeof(said), f))
		said[strcspn(said, "\n")] = 0;
	status = pclose(f);
	if (!status)
		return 0;
	snprintf(t->why, sizeof(t->why), "`%.80s`: %.100s", command, said);
	return -EIO;
}

/* A setting of the namespace that this thread is in. */
static int set(struct topology *t, enum place where, const char *path, const char *value)
{
	_cleanup_close_ int fd = -1;
	int err = enter(t, where);

	if (err)
		return fail(t, err, "setns");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return fail(t, -errno, path);
	return 0;
}

static int make_namespace(struct topology *t, enum place where)
{
	int err;

	if (unshare(CLONE_NEWNET))
		return fail(t, -errno, "a network namespace cannot be made");
	t->fds[where] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (t->fds[where] < 0)
		return fail(t, -errno, "/proc/thread-self/ns/net");
	err = ip(t, where, "link set lo up");
	if (!err)
		err = set(t, where, "/proc/sys/net/ipv4/ip_local_port_range", CONNECTION_PORTS);
	return err;
}

/* A veth pair from the relay's host to `there`; each end is called after whom it leads to. */
static int join(struct topology *t, enum place there, const char *near_name, const char *near_addr,
	const char *far_addr)
{
	int err = ip(t, PLACE_RELAY, "link add %s type veth peer name relay netns /proc/%d/fd/%d", near_name,
		getpid(), t->fds[there]);

	if (!err)
		err = ip(t, PLACE_RELAY, "addr add %s/30 dev %s", near_addr, near_name);
	if (!err)
		err = ip(t, PLACE_RELAY, "link set %s up", near_name);
	if (!err)
		err = ip(t, there, "addr add %s/30 dev relay", far_addr);
	if (!err)
		err = ip(t, there, "link set relay up");
	if (!err)
		err = ip(t, there, "route add default via %s", near_addr);
	return err;
}

int topology_open(struct topology *t, bool remote)
{
	int err = 0;

	*t = (struct topology){.remote = remote, .own_fd = -1, .fds = {-1, -1, -1}};
	if (!remote)
		return 0;
	t->own_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (t->own_fd < 0)
		return fail(t, -errno, "/proc/thread-self/ns/net");
	for (int i = 0; !err && i < PLACES; i++)
		err = make_namespace(t, (enum place)i);
	if (!err)
		err = join(t, PLACE_CLIENT, "client", RELAY_ADDR, CLIENT_ADDR);
	if (!err)
		err = join(t, PLACE_ORIGIN, "origin", RELAY_FAR_ADDR, ORIGIN_ADDR);
	if (!err)
		err = set(t, PLACE_RELAY, "/proc/sys/net/ipv4/ip_forward", "1");
	if (err)
		return err;
	err = enter(t, PLACE_CLIENT);
	return err ? fail(t, err, "setns") : 0;
}

void topology_close(struct topology *t)
{
	if (t->own_fd >= 0) {
		if (setns(t->own_fd, CLONE_NEWNET))
			fprintf(stderr, "sluice-bench: cannot go back to the own network namespace: %s\n",
				strerror(errno));
		close(t->own_fd);
	}
	for (int i = 0; i < PLACES; i++)
		if (t->remote && t->fds[i] >= 0)
			close(t->fds[i]);
	*t = (struct topology){.own_fd = -1, .fds = {-1, -1, -1}};
}

int topology_address(struct topology *t, enum place where, char *out)
{
	uint16_t port;
	int err;

	if (t->remote) {
		/* A new one each time: connections of the run before may still be in TIME_WAIT. */
		snprintf(out, NET_TEXT_MAX, "%s:%u", place_addrs[where], FIRST_PORT + t->ports++ % PORTS_MAX);
		return 0;
	}
	err = net_free_port(&port);
	if (!err)
		snprintf(out, NET_TEXT_MAX, "127.0.0.1:%u", port);
	return err;
}

int topology_spawn(const struct topology *t, enum place where, char *const argv[], const char *log_path,
	const cpu_set_t *cpus, pid_t *ret_pid)
{
	int err = t->remote ? enter(t, where) : 0, back;

	if (err)
		return err;
	err = spawn(argv, log_path, cpus, ret_pid);
	back = t->remote ? enter(t, PLACE_CLIENT) : 0;
	if (back && !err)
		spawn_stop(*ret_pid);
	return err ? err : back;
}

const char *topology_about(const char *name)
{
	return strcmp(name, "remote") == 0 ? "client, relay and origin in network namespaces of their own, "
					     "joined by veth; without a "
					     "proxy the relay's host forwards IP"
					   : "all on loopback";
}
