#include "conf/value.h"
#include "conf/number.h"
#include "conf/text.h"

#define CHOICES(name, words, ...)                                                                            \
	const struct choices choices_##name = {words, (const struct choice[]){__VA_ARGS__, {NULL, 0}}}

CHOICES(lane, "auto, copy or splice", {"auto", LANE_AUTO}, {"copy", LANE_COPY}, {"splice", LANE_SPLICE});
CHOICES(level, "error, warn, info or debug", {"error", LOG_LEVEL_ERROR}, {"warn", LOG_LEVEL_WARN},
	{"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG});
CHOICES(onoff, "on or off", {"on", 1}, {"off", 0}, {"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0});
CHOICES(proxy_protocol, "on or off", {"on", PROXY_REQUIRED}, {"off", PROXY_OFF}, {"true", PROXY_REQUIRED},
	{"false", PROXY_OFF}, {"yes", PROXY_REQUIRED}, {"no", PROXY_OFF});
CHOICES(balance, "least-conn, round-robin, hash or sticky", {"least-conn", BALANCE_LEAST_CONN},
	{"round-robin", BALANCE_ROUND_ROBIN}, {"hash", BALANCE_HASH}, {"sticky", BALANCE_STICKY});
CHOICES(stream, "auto, on or off", {"auto", STREAM_AUTO}, {"on", STREAM_ON}, {"off", STREAM_OFF},
	{"true", STREAM_ON}, {"false", STREAM_OFF}, {"yes", STREAM_ON}, {"no", STREAM_OFF});
CHOICES(slow_policy, "block, drop or close", {"block", SLOW_BLOCK}, {"drop", SLOW_DROP},
	{"close", SLOW_CLOSE});
CHOICES(accept_encoding, "drop or pass", {"drop", 1}, {"pass", 0});
CHOICES(errors, "503, reset or retry", {"503", ERROR_503}, {"reset", ERROR_RESET}, {"retry", ERROR_RETRY});
CHOICES(http_versions, "auto, 1.1 or 2", {"auto", HTTP_AUTO}, {"1.1", HTTP_1_1_ONLY}, {"2", HTTP_2_ONLY});
CHOICES(tls_version, "1.2 or 1.3", {"1.2", TLS_1_2}, {"1.3", TLS_1_3});
CHOICES(ktls, "auto or off", {"auto", 1}, {"off", 0}, {"false", 0}, {"no", 0});
CHOICES(tls_profile, "intermediate or modern", {"intermediate", TLS_INTERMEDIATE}, {"modern", TLS_MODERN});
CHOICES(client_certificates, "off, request or require", {"off", CLIENT_CERTS_OFF},
	{"request", CLIENT_CERTS_REQUEST}, {"require", CLIENT_CERTS_REQUIRE}, {"false", CLIENT_CERTS_OFF},
	{"no", CLIENT_CERTS_OFF});

static int read_number(const struct key *k, struct slice text, uint64_t *ret, const char **ret_hint)
{
	switch (k->kind) {
	case KIND_DURATION:
		return number_duration(text, ret, ret_hint);
	case KIND_SIZE:
		return number_size(text, ret, ret_hint);
	case KIND_COUNT:
		return decimal_parse(text, UINT64_MAX, ret) < 0 ? -EINVAL : 0;
	case KIND_MODE:
		return number_octal(text, ret);
	case KIND_CHOICE:
		return number_choice(k->choices->list, text, ret);
	case KIND_STATUS:
		return number_status(text, ret);
	case KIND_METHOD:
		return number_method(text, ret);
	default:
		return -EINVAL;
	}
}

static bool ranged(enum kind kind)
{
	return kind <= KIND_MODE;
}

int value_number(const struct key *k, struct slice text, uint64_t *ret, const char **ret_hint)
{
	const char *hint = NULL;
	uint64_t value;
	int err = 0;

	if (k->zero && slice_eq(text, slice_of(k->zero)))
		value = 0;
	else
		err = read_number(k, text, &value, &hint);
	if (!err && ranged(k->kind) && !(value == 0 && k->zero)) {
		if (value < k->min)
			hint = "too small", err = -EINVAL;
		else if (value > k->max)
			hint = "too large", err = -EINVAL;
	}
	if (err) {
		*ret_hint = hint;
		return err;
	}
	*ret = value;
	return 0;
}

int value_check(const struct key *k, struct slice text, const char **ret_hint)
{
	uint64_t value;

	*ret_hint = NULL;
	if (k->kind < KIND_INSTANCE)
		return value_number(k, text, &value, ret_hint);
	return text_check(k->kind, text, ret_hint);
}

static int allowed_range(const struct key *k, struct buf *out)
{
	int err;

	switch (k->kind) {
	case KIND_DURATION:
		err = buf_printf(out, "a duration such as 500ms, 15s, 5m or 1h, from ");
		err = err ? err : number_print_duration(out, k->min);
		err = err ? err : buf_printf(out, " to ");
		return err ? err : number_print_duration(out, k->max);
	case KIND_SIZE:
		err = buf_printf(out, "a size such as 4096, 16KiB or 1MiB, from ");
		err = err ? err : number_print_size(out, k->min);
		err = err ? err : buf_printf(out, " to ");
		return err ? err : number_print_size(out, k->max);
	case KIND_MODE:
		return buf_printf(out, "an octal file mode such as 0660");
	default:
		return buf_printf(out, "a number from %llu to %llu", (unsigned long long)k->min,
			(unsigned long long)k->max);
	}
}

int value_allowed(const struct key *k, struct buf *out)
{
	int err;

	if (k->kind == KIND_CHOICE)
		return buf_printf(out, "%s", k->choices->allowed);
	if (!ranged(k->kind))
		return buf_printf(out, "%s", text_allowed(k->kind));
	err = allowed_range(k, out);
	if (!err && k->zero)
		err = buf_printf(out, ", or %s", k->zero);
	return err;
}
