#include "net.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>

static int lookup(const char *host, const char *port, int flags, struct net_address *ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found = NULL;

	if (getaddrinfo(host, port, &hints, &found))
		return -EADDRNOTAVAIL;
	memset(&ret->addr, 0, sizeof(ret->addr));
	memcpy(&ret->addr, found->ai_addr, found->ai_addrlen);
	ret->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/* Splits "host:port" or "[host]:port"; the port may be missing when `port_default` is given. */
static int split(
	const char *text, size_t n, char host[static 256], char port[static 8], const char *port_default)
{
	const char *colon = memrchr(text, ':', n), *close = memchr(text, ']', n);
	const char *end = text + n;
	size_t host_n;

	if (colon && close && colon < close)
		colon = NULL;
	if (!colon && !port_default)
		return -EINVAL;
	host_n = (size_t)((colon ? colon : end) - text);
	if (text[0] == '[') {
		if (!close || close + 1 != (colon ? colon : end))
			return -EINVAL;
		text++;
		host_n -= 2;
	}
	if (!host_n || host_n > 255 || (colon && (end - colon - 1 < 1 || end - colon - 1 > 5)))
		return -EINVAL;
	memcpy(host, text, host_n);
	host[host_n] = 0;
	snprintf(port, 8, "%.*s", colon ? (int)(end - colon - 1) : 5, colon ? colon + 1 : port_default);
	return strspn(port, "0123456789") == strlen(port) && atoi(port) <= 65535 ? 0 : -EINVAL;
}

int net_address_parse(const char *text, struct net_address *ret)
{
	char host[256], port[8];

	if (split(text, strlen(text), host, port, NULL))
		return -EINVAL;
	return lookup(host, port, AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, ret) ? -EINVAL : 0;
}

void net_address_text(const struct net_address *a, char *out)
{
	char host[48] = "?", port[8] = "?";

	getnameinfo((const struct sockaddr *)&a->addr, a->len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, NET_TEXT_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int net_url_parse(const char *text, struct net_url *ret)
{
	static const char http[] = "http://", https[] = "https://";
	struct net_url url = {.path = "/"};
	char host[256], port[8];
	const char *authority, *path;
	size_t n;
	int err;

	url.tls = strncmp(text, https, sizeof(https) - 1) == 0;
	if (!url.tls && strncmp(text, http, sizeof(http) - 1) != 0)
		return strstr(text, "://") ? -EPROTONOSUPPORT : -EINVAL;
	authority = text + (url.tls ? sizeof(https) : sizeof(http)) - 1;
	n = strcspn(authority, "/?");
	path = authority + n;
	if (!n || n >= sizeof(url.host) || strlen(path) + 2 > sizeof(url.path))
		return -EINVAL;
	memcpy(url.host, authority, n);
	if (*path)
		snprintf(url.path, sizeof(url.path), "%s%s", *path == '?' ? "/" : "", path);
	if (split(authority, n, host, port, url.tls ? "443" : "80"))
		return -EINVAL;
	err = lookup(host, port, AI_NUMERICSERV, &url.address);
	if (err)
		return err;
	*ret = url;
	return 0;
}

int net_listen(struct net_address *a, bool shared, int *ret_fd)
{
	_cleanup_close_ int fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct net_address bound = {.len = sizeof(bound.addr)};
	int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))
		return -errno;
	if (bind(fd, (struct sockaddr *)&a->addr, a->len) || listen(fd, 65535) ||
		getsockname(fd, (struct sockaddr *)&bound.addr, &bound.len))
		return -errno;
	*a = bound;
	*ret_fd = take_fd(fd);
	return 0;
}

int net_connect(const struct net_address *a, const struct net_address *source, int *ret_fd)
{
	_cleanup_close_ int fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (source) {
		/* The port is chosen by connect(), so that the same port serves many destinations. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, (const struct sockaddr *)&source->addr, source->len))
			return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&a->addr, a->len) && errno != EINPROGRESS)
		return -errno;
	*ret_fd = take_fd(fd);
	return 0;
}

int net_free_port(uint16_t *ret)
{
	struct net_address a;
	_cleanup_close_ int fd = -1;
	int err = net_address_parse("127.0.0.1:0", &a);

	if (!err)
		err = net_listen(&a, false, &fd);
	if (err)
		return err;
	*ret = ntohs(((struct sockaddr_in *)&a.addr)->sin_port);
	return 0;
}

size_t net_raise_fd_limit(size_t want)
{
	struct rlimit l, more;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return 1024;
	if (l.rlim_cur >= want)
		return l.rlim_cur;
	more = (struct rlimit){want, MAX(l.rlim_max, (rlim_t)want)};
	if (setrlimit(RLIMIT_NOFILE, &more)) {
		more = (struct rlimit){MIN((rlim_t)want, l.rlim_max), l.rlim_max};
		setrlimit(RLIMIT_NOFILE, &more);
	}
	return getrlimit(RLIMIT_NOFILE, &l) ? 1024 : l.rlim_cur;
}
