#include "conf/text.h"
#include "sluice/abi.h"

#define NAME_MAX_BYTES 31 /* what a stream's record has room for (sluice/ctl.h) */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Every byte is a letter, a digit or one of `more`. */
static bool only(struct slice text, const char *more)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_alnum(text.p[i]) && (!text.p[i] || !strchr(more, text.p[i])))
			return false;
	}
	return text.n > 0;
}

/* Printable ASCII without white space at its ends. */
static bool printable(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	}
	return text.n && slice_trim(text).n == text.n;
}

/* RFC 9110 5.6.2. */
static bool is_token(struct slice text)
{
	return only(text, "!#$%&'*+-.^_`|~");
}

static bool is_instance(struct slice text)
{
	return text.n < SLUICE_MAX_INSTANCE && only(text, "._-") && text.p[0] != '.' && text.p[0] != '-';
}

static bool is_name(struct slice text)
{
	return text.n <= NAME_MAX_BYTES && printable(text) && !memchr(text.p, '"', text.n) &&
	       !memchr(text.p, '\\', text.n);
}

static bool is_file_path(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	}
	return text.n > 1 && text.n < 4096 && text.p[0] == '/' && text.p[text.n - 1] != '/';
}

/* Fits sockaddr_un, so that the daemon need not find out at the bind. */
static bool is_socket_path(struct slice text)
{
	return is_file_path(text) && text.n < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

static bool is_log_target(struct slice text)
{
	return is_file_path(text) || slice_eq(text, SLICE("stderr")) || slice_eq(text, SLICE("off"));
}

static bool is_resolver(struct slice text)
{
	struct sockaddr_any addr;
	struct cidr ip;

	if (address_parse(text, &addr) == 0)
		return addr.sa.sa_family != AF_UNIX;
	return text.n && !memchr(text.p, '/', text.n) && cidr_parse(text, &ip) == 0;
}

static bool is_listen(struct slice text)
{
	struct sockaddr_any addr;

	return address_parse(text, &addr) == 0;
}

static bool is_server(struct slice text)
{
	struct sockaddr_any addr;
	struct slice host;
	uint16_t port;

	if (slice_starts(text, SLICE("unix:")))
		return address_parse(text, &addr) == 0;
	return address_split(text, &host, &port) == 0;
}

static bool is_bracketed(struct slice text)
{
	return text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']' &&
	       ipv6_valid((struct slice){text.p + 1, text.n - 2});
}

static bool is_host_pattern(struct slice text)
{
	if (slice_starts(text, SLICE("*.")))
		text.p += 2, text.n -= 2;
	return host_valid(text) || is_bracketed(text);
}

static bool is_host_name(struct slice text)
{
	return host_valid(text) || ipv6_valid(text);
}

static bool is_host_field(struct slice text)
{
	struct slice host;
	uint16_t port;

	return host_valid(text) || is_bracketed(text) || address_split(text, &host, &port) == 0;
}

/* An absolute path of RFC 3986 characters, percent signs taken as they stand; `more` are those of a query. */
static bool is_uri(struct slice text, const char *more)
{
	if (!text.n || text.n > 8000 || text.p[0] != '/')
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!is_alnum(text.p[i]) && !strchr("-._~%!$&'()*+,;=:@/", text.p[i]) &&
			!strchr(more, text.p[i]))
			return false;
		if (!text.p[i])
			return false;
	}
	return true;
}

/* Fields that frame a message or belong to one connection: the relay writes these itself (RFC 9110 7.6.1, RFC
 * 9112 6). */
static const char *const own_fields[] = {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive",
	"Proxy-Connection", "TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings"};

static int field_name_check(struct slice name, const char **ret_hint)
{
	if (!is_token(name)) {
		*ret_hint = "no field name: letters, digits and !#$%&'*+-.^_`|~";
		return -EINVAL;
	}
	if (slice_eq_nocase(name, SLICE("Host"))) {
		*ret_hint = "Host is set by the upstream's `host`";
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_LEN(own_fields); i++) {
		if (slice_eq_nocase(name, slice_of(own_fields[i]))) {
			*ret_hint = "this field is sluice's own: it frames the message or belongs to one "
				    "connection";
			return -EINVAL;
		}
	}
	return 0;
}

void value_field_split(struct slice text, struct slice *ret_name, struct slice *ret_value)
{
	const char *colon = memchr(text.p, ':', text.n);

	*ret_name = (struct slice){text.p, (size_t)(colon - text.p)};
	*ret_value = slice_trim((struct slice){colon + 1, text.n - ret_name->n - 1});
}

static int field_check(struct slice text, const char **ret_hint)
{
	struct slice name, value;
	int err;

	if (!text.n || !memchr(text.p, ':', text.n)) {
		*ret_hint = "no colon";
		return -EINVAL;
	}
	value_field_split(text, &name, &value);
	err = field_name_check(name, ret_hint);
	if (err)
		return err;
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f) {
			*ret_hint = "the value has a control byte: no CR, LF or NUL may stand there";
			return -EINVAL;
		}
	}
	return 0;
}

static int cidr_check(struct slice text, const char **ret_hint)
{
	struct cidr ignored;
	int err = cidr_parse(text, &ignored);

	if (err == -ERANGE)
		*ret_hint = "bits are set behind the prefix";
	return err ? -EINVAL : 0;
}

int text_check(enum kind kind, struct slice text, const char **ret_hint)
{
	static bool (*const plain[])(struct slice) = {
		[KIND_INSTANCE] = is_instance,
		[KIND_NAME] = is_name,
		[KIND_USER] = is_name,
		[KIND_FILE_PATH] = is_socket_path,
		[KIND_FILE] = is_file_path,
		[KIND_LOG_TARGET] = is_log_target,
		[KIND_RESOLVER] = is_resolver,
		[KIND_LISTEN] = is_listen,
		[KIND_SERVER] = is_server,
		[KIND_HOST_PATTERN] = is_host_pattern,
		[KIND_HOST_FIELD] = is_host_field,
		[KIND_HOST_NAME] = is_host_name,
		[KIND_TOKEN] = is_token,
	};

	switch (kind) {
	case KIND_PATH:
		return is_uri(text, "") ? 0 : -EINVAL;
	case KIND_TARGET:
		return is_uri(text, "?") ? 0 : -EINVAL;
	case KIND_CIDR:
		return cidr_check(text, ret_hint);
	case KIND_FIELD:
		return field_check(text, ret_hint);
	case KIND_FIELD_NAME:
		return field_name_check(text, ret_hint);
	default:
		if (kind == KIND_SERVER && memmem(text.p, text.n, "://", 3))
			*ret_hint = "leave the scheme out";
		return plain[kind](text) ? 0 : -EINVAL;
	}
}

const char *text_allowed(enum kind kind)
{
	static const char *const allowed[] = {
		[KIND_STATUS] = "a status or a range such as 200-399, from 200 to 599",
		[KIND_METHOD] = "GET, HEAD, POST, PUT, DELETE, OPTIONS or PATCH",
		[KIND_INSTANCE] = "1 to 31 letters, digits, '.', '_' and '-', not with '.' or '-' first",
		[KIND_NAME] = "1 to 31 printable ASCII characters without '\"' and '\\'",
		[KIND_USER] = "a user name",
		[KIND_FILE_PATH] = "an absolute path of at most 107 bytes",
		[KIND_FILE] = "an absolute path of a file",
		[KIND_LOG_TARGET] = "an absolute path, stderr or off",
		[KIND_RESOLVER] = "the IP address of a DNS server, with or without a port: 127.0.0.1:53",
		[KIND_LISTEN] = "IP:PORT (127.0.0.1:8080, \"[::]:8080\") or unix:/path",
		[KIND_SERVER] = "HOST:PORT (app.internal:4000, 127.0.0.1:4000, \"[::1]:4000\") or unix:/path",
		[KIND_HOST_PATTERN] = "a host name without a port, or \"*.example.org\" for its sub-domains",
		[KIND_HOST_FIELD] = "a host name, with or without a port",
		[KIND_HOST_NAME] = "a host name or an IP address, without a port",
		[KIND_PATH] = "a path that begins with '/', without query",
		[KIND_TARGET] = "a path that begins with '/'",
		[KIND_TOKEN] = "a name of letters, digits and !#$%&'*+-.^_`|~",
		[KIND_CIDR] = "an IP address or a network such as 10.0.0.0/8",
		[KIND_FIELD] = "\"Name: value\"",
		[KIND_FIELD_NAME] = "a field's name",
	};

	return allowed[kind];
}
