/* Scalars of the config: text to number or checked text, and what to say when it is neither. Pure. */
#ifndef SLUICE_CONF_VALUE_H
#define SLUICE_CONF_VALUE_H

#include "conf/settings.h"

enum kind {
	/* numbers */
	KIND_DURATION,
	KIND_SIZE,
	KIND_COUNT,
	KIND_MODE, /* octal */
	KIND_CHOICE,
	KIND_STATUS, /* "200-399" or "204": min << 16 | max */
	KIND_METHOD, /* a bit of route_settings.methods */
	/* texts */
	KIND_INSTANCE,
	KIND_NAME,
	KIND_USER,
	KIND_FILE_PATH, /* of a socket */
	KIND_FILE,
	KIND_LOG_TARGET,
	KIND_RESOLVER,
	KIND_LISTEN,
	KIND_SERVER,
	KIND_HOST_PATTERN,
	KIND_HOST_FIELD,
	KIND_HOST_NAME,
	KIND_PATH,
	KIND_TARGET,
	KIND_TOKEN,
	KIND_CIDR,
	KIND_FIELD,
	KIND_FIELD_NAME,
	/* no scalar: a mapping or a list of mappings */
	KIND_NONE,
};

struct choice {
	const char *word;
	uint64_t value;
};

struct choices {
	const char *allowed;	   /* for messages; words that mean the same are named once */
	const struct choice *list; /* up to a NULL word */
};

extern const struct choices choices_lane, choices_level, choices_onoff, choices_proxy_protocol,
	choices_balance, choices_stream, choices_slow_policy, choices_accept_encoding, choices_errors,
	choices_http_versions, choices_ktls, choices_tls_version, choices_tls_profile,
	choices_client_certificates;

/* One key of one section (keys.h). */
struct key {
	const char *name;
	enum kind kind;
	uint32_t raw;	      /* offset in the raw struct */
	uint32_t to, size;    /* offset and size of the member in the settings; size 0: build.c does it */
	const char *fallback; /* the default, as text; NULL: none */
	const char *zero;     /* word for 0; NULL: 0 is not allowed */
	uint64_t min, max;    /* of a number other than 0 */
	const struct choices *choices;
};

/* Numbers only. 0, or -EINVAL; *ret_hint, when not NULL, then says what is amiss in a few words. */
must_check int value_number(const struct key *k, struct slice text, uint64_t *ret, const char **ret_hint);
/* Any kind: 0, or -EINVAL with a hint that may be NULL. */
must_check int value_check(const struct key *k, struct slice text, const char **ret_hint);
/* What is allowed, in words: "a duration from 1ms to 1d, such as 15s, or off". */
must_check int value_allowed(const struct key *k, struct buf *out);
/* "Name: value" into its halves, trimmed. The text was checked. */
void value_field_split(struct slice text, struct slice *ret_name, struct slice *ret_value);

#endif
