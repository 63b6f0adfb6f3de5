#include "peers.h"
#include <fcntl.h>
#include <stdio.h>

#define CONF_MAX 65536

static const struct peer peers[] = {
	{.name = "none", .about = "no proxy: what the origin and the load cost by themselves"},
	{.name = "sluice-copy",
		.about = "sluice, one worker, bytes carried in userspace",
		.argv = {"@SLUICE@", "proxy", "--listen", "@LISTEN@", "--to", "http://@ORIGIN@", "--lane",
			"copy", "--workers", "1", "--instance", "@INSTANCE@"},
		.version = {"@SLUICE@", "--version"}},
	{.name = "sluice-splice",
		.about = "sluice, one worker, bytes redirected in the kernel",
		.argv = {"@SLUICE@", "proxy", "--listen", "@LISTEN@", "--to", "http://@ORIGIN@", "--lane",
			"splice", "--workers", "1", "--instance", "@INSTANCE@"},
		.version = {"@SLUICE@", "--version"}},
	{.name = "nginx",
		.about = "Debian's nginx, one worker, its best settings for event streams",
		.conf = "nginx.conf",
		.argv = {"nginx", "-p", "@DIR@", "-c", "@CONF@", "-e", "stderr"},
		.version = {"nginx", "-v"}},
	{.name = "nginx-unchunked",
		.about = "the same with chunked_transfer_encoding off: clients cannot tell an end from a "
			 "break",
		.conf = "nginx-unchunked.conf",
		.argv = {"nginx", "-p", "@DIR@", "-c", "@CONF@", "-e", "stderr"},
		.version = {"nginx", "-v"}},
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

static const char *value_of(struct slice name, const struct peer_vars *v)
{
	const struct {
		struct slice name;
		const char *value;
	} table[] = {{SLICE("LISTEN"), v->listen}, {SLICE("ORIGIN"), v->origin}, {SLICE("DIR"), v->dir},
		{SLICE("CONF"), v->conf}, {SLICE("SLUICE"), v->sluice}, {SLICE("INSTANCE"), v->instance}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (slice_eq(name, table[i].name))
			return table[i].value;
	return NULL;
}

int peer_expand(struct slice text, const struct peer_vars *vars, struct buf *out)
{
	while (text.n) {
		const char *at = memchr(text.p, '@', text.n), *close;
		size_t plain = at ? (size_t)(at - text.p) : text.n;
		const char *value;
		int err = buf_append(out, text.p, plain);

		if (err || !at)
			return err;
		text.p += plain + 1;
		text.n -= plain + 1;
		close = memchr(text.p, '@', text.n);
		value = close ? value_of((struct slice){text.p, (size_t)(close - text.p)}, vars) : NULL;
		if (!value)
			return -EINVAL;
		err = buf_append(out, value, strlen(value));
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
	err = peer_expand(buf_slice(&in), vars, &out);
	return err ? err : write_all(vars->conf, buf_slice(&out));
}

int peer_argv(const char *const *from, const struct peer_vars *vars, char **ret_argv)
{
	for (size_t i = 0; i < PEER_ARGS_MAX - 1 && from[i]; i++) {
		_cleanup_buf_ struct buf b = {0};
		int err = peer_expand(slice_of(from[i]), vars, &b);

		if (!err)
			err = buf_append(&b, "", 1);
		if (err) {
			peer_argv_free(ret_argv);
			return err;
		}
		ret_argv[i] = take_ptr(b.data);
		ret_argv[i + 1] = NULL;
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
