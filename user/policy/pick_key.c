#include "policy/pick_key.h"

/* RFC 6265 4.2.1: name=value pairs, "; " between them; over several Cookie fields as well. */
static struct slice cookie_value(struct slice cookies, struct slice name)
{
	while (cookies.n) {
		const char *semi = memchr(cookies.p, ';', cookies.n);
		size_t n = semi ? (size_t)(semi - cookies.p) : cookies.n;
		struct slice pair = slice_trim((struct slice){cookies.p, n});
		const char *eq = memchr(pair.p, '=', pair.n);

		if (eq && slice_eq((struct slice){pair.p, (size_t)(eq - pair.p)}, name))
			return (struct slice){eq + 1, (size_t)(pair.p + pair.n - eq - 1)};
		n += semi ? 1 : 0;
		cookies.p += n;
		cookies.n -= n;
	}
	return (struct slice){0};
}

struct slice pick_key_of(const struct upstream_settings *u, const struct h1_request *req)
{
	const struct h1_field *f;

	if (u->balance != BALANCE_HASH && u->balance != BALANCE_STICKY)
		return (struct slice){0};
	if (u->balance_header) {
		f = h1_field_named(req->fields, req->nfields, slice_of(u->balance_header));
		return f ? f->value : (struct slice){0};
	}
	for (size_t i = 0; u->balance_cookie && i < req->nfields; i++) {
		if (req->fields[i].id == H1_F_COOKIE) {
			struct slice v = cookie_value(req->fields[i].value, slice_of(u->balance_cookie));

			if (v.p)
				return v;
		}
	}
	return (struct slice){0};
}
