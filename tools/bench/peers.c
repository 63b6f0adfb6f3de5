#include "peers.h"
#include <fcntl.h>
#include <stdio.h>

#define CONF_MAX 65536

static const struct peer peers[] = {
	{.name = "none", .about = "no proxy: what the origin and the load cost by themselves"},
	{.name = "sluice-copy",
		.about = "sluice, bytes carried in userspace",
		.conf = "sluice-copy.conf",
		.argv = {"@SLUICE@", "run", "--config", "@CONF@"},
		.version = {"@SLUICE@", "--version"}},
	{.name = "sluice-splice",
		.about = "sluice, bytes redirected in the kernel",
		.conf = "sluice-splice.conf",
		.argv = {"@SLUICE@", "run", "--config", "@CONF@"},
		.version = {"@SLUICE@", "--version"}},
	{.name = "nginx",
		.about = "Debian's nginx, its best settings for event streams",
		.conf = "nginx.conf",
		.argv = {"nginx", "-p", "@DIR@", "-c", "@CONF@", "-e", "stderr"},
		.version = {"nginx", "-v"}},
	{.name = "nginx-unchunked",
		.about = "the same with chunked_transfer_encoding off: clients cannot tell an end from a "
			 "break",
		.conf = "nginx-unchunked.conf",
		.argv = {"nginx", "-p", "@DIR@", "-c", "@CONF@", "-e", "stderr"},
		.version = {"nginx", "-v"}},
	{.name = "haproxy",
		.about = "Debian's HAProxy, its best settings for event streams",
		.conf = "haproxy.conf",
		.argv = {"haproxy", "-db", "-f", "@CONF@"},
		.version = {"haproxy", "-v"}},
	{.name = "caddy",
		.about = "Debian's Caddy, its best settings for event streams",
		.conf = "caddy.conf",
		/* So many threads run Go code; its few helpers are counted too. It keeps files at home.
		 */
		.argv = {"env", "GOMAXPROCS=@WORKERS@", "HOME=@DIR@", "XDG_DATA_HOME=@DIR@",
			"XDG_CONFIG_HOME=@DIR@", "caddy", "run", "--config", "@CONF@", "--adapter",
			"caddyfile"},
		.version = {"caddy", "version"}},
	{.name = "h2o",
		.about = "Debian's h2o, its best settings for event streams",
		.conf = "h2o.conf",
		.argv = {"h2o", "-m", "worker", "-c", "@CONF@"},
		.version = {"h2o", "-v"}},
	{.name = "envoy",
		.about = "Envoy, its best settings for event streams; Debian has no package of it",
		.conf = "envoy.conf",
		.argv = {"envoy", "--config-path", "@CONF@", "--concurrency", "@WORKERS@", "--log-level",
			"error", "--disable-hot-restart"},
		.version = {"envoy", "--version"}},
};

const struct peer *peer_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		if (slice_eq(name, slice_of(peers[i].name)))
			return &peers[i];
	return NULL;
}

void peer_names(char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(peers) && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "", peers[i].name);
}

/* The half of ADDR:PORT in front of its last colon, or behind it. */
static struct slice host_of(const char *address)
{
	const char *colon = address ? strrchr(address, ':') : NULL;

	return (struct slice){address, colon ? (size_t)(colon - address) : 0};
}

static struct slice port_of(const char *address)
{
	struct slice host = host_of(address);

	return slice_of(host.n ? address + host.n + 1 : NULL);
}

/* p == NULL: there is none of that name. */
static struct slice value_of(struct slice name, const struct peer_vars *v)
{
	const struct {
		struct slice name, value;
	} table[] = {{SLICE("LISTEN"), slice_of(v->listen)}, {SLICE("LISTEN_HOST"), host_of(v->listen)},
		{SLICE("LISTEN_PORT"), port_of(v->listen)}, {SLICE("ORIGIN"), slice_of(v->origin)},
		{SLICE("ORIGIN_HOST"), host_of(v->origin)}, {SLICE("ORIGIN_PORT"), port_of(v->origin)},
		{SLICE("DIR"), slice_of(v->dir)}, {SLICE("CONF"), slice_of(v->conf)},
		{SLICE("CERT"), slice_of(v->cert)}, {SLICE("SLUICE"), slice_of(v->sluice)},
		{SLICE("INSTANCE"), slice_of(v->instance)}, {SLICE("WORKERS"), slice_of(v->workers)},
		{SLICE(""), SLICE("@")}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (slice_eq(name, table[i].name))
			return table[i].value;
	return (struct slice){NULL, 0};
}

int peer_expand(struct slice text, const struct peer_vars *vars, struct buf *out)
{
	while (text.n) {
		const char *at = memchr(text.p, '@', text.n), *close;
		size_t plain = at ? (size_t)(at - text.p) : text.n;
		struct slice value;
		int err = buf_append(out, text.p, plain);

		if (err || !at)
			return err;
		text.p += plain + 1;
		text.n -= plain + 1;
		close = memchr(text.p, '@', text.n);
		value = close ? value_of((struct slice){text.p, (size_t)(close - text.p)}, vars)
			      : (struct slice){NULL, 0};
		if (!value.p)
			return -EINVAL;
		err = buf_append(out, value.p, value.n);
		if (err)
			return err;
		text.n -= (size_t)(close + 1 - text.p);
		text.p = close + 1;
	}
	return 0;
}

static int write_all(const char *path, struct slice text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, text.p, text.n);

	if (n < 0)
		return -errno;
	return (size_t)n == text.n ? 0 : -EIO;
}

bool peer_keeps(struct slice *text, const struct peer_vars *vars)
{
	static const struct slice plain = SLICE("@PLAIN@"), tls = SLICE("@TLS@");
	size_t mark = slice_starts(*text, plain) ? plain.n : slice_starts(*text, tls) ? tls.n : 0;

	if (mark && (mark == tls.n) != vars->tls)
		return false;
	text->p += mark;
	text->n -= mark;
	return true;
}

static int expand_lines(struct slice text, const struct peer_vars *vars, struct buf *out)
{
	while (text.n) {
		const char *lf = memchr(text.p, '\n', text.n);
		struct slice line = {text.p, lf ? (size_t)(lf + 1 - text.p) : text.n};
		int err;

		text.p += line.n;
		text.n -= line.n;
		err = peer_keeps(&line, vars) ? peer_expand(line, vars, out) : 0;
		if (err)
			return err;
	}
	return 0;
}

int peer_write_conf(const struct peer *p, const char *peers_dir, const struct peer_vars *vars)
{
	_cleanup_buf_ struct buf in = {.max = CONF_MAX}, out = {0};
	_cleanup_close_ int fd = -1;
	char path[4096];
	ssize_t n;
	int err = buf_reserve(&in, CONF_MAX);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%s", peers_dir, p->conf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, in.data, in.cap);
	if (n < 0)
		return -errno;
	in.len = (size_t)n;
	err = expand_lines(buf_slice(&in), vars, &out);
	return err ? err : write_all(vars->conf, buf_slice(&out));
}

int peer_argv(const char *const *from, const struct peer_vars *vars, char **ret_argv)
{
	size_t n = 0;

	for (size_t i = 0; i < PEER_ARGS_MAX - 1 && from[i]; i++) {
		_cleanup_buf_ struct buf b = {0};
		struct slice text = slice_of(from[i]);
		int err;

		if (!peer_keeps(&text, vars))
			continue;
		err = peer_expand(text, vars, &b);
		if (!err)
			err = buf_append(&b, "", 1);
		if (err) {
			peer_argv_free(ret_argv);
			return err;
		}
		ret_argv[n++] = take_ptr(b.data);
		ret_argv[n] = NULL;
	}
	return 0;
}

void peer_argv_free(char **argv)
{
	for (size_t i = 0; argv[i]; i++) {
		free(argv[i]);
		argv[i] = NULL;
	}
}
