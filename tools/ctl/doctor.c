#include "doctor/doctor.h"
#include "ctl/verbs.h"

#define MAX_SECONDS 3600

static bool is_url(const char *s)
{
	return strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0;
}

/* A field name, a colon, and no line end that would begin another field. */
static bool is_header(const char *s)
{
	size_t name = strcspn(s, ": \t\r\n");

	return name && s[name] == ':' && !strpbrk(s, "\r\n");
}

/* The look's length in milliseconds, 0 when `text` is none. */
static uint64_t parse_seconds(const char *text)
{
	char *end;
	double s = strtod(text, &end);

	return *end || !(s >= 0.1) || s > MAX_SECONDS ? 0 : (uint64_t)(s * 1000);
}

int verb_doctor(struct ctl *c, char **words)
{
	const char *headers[CTL_MAX_GIVEN + 1] = {0}, *header, *seconds = ctl_flag(c, "seconds");
	struct doctor_options o = {.url = words[0],
		.direct = ctl_flag(c, "direct"),
		.headers = headers,
		.ms = DOCTOR_SECONDS * 1000,
		.insecure = ctl_flag(c, "insecure") != NULL,
		.json = c->json,
		.colour = c->term.colour,
		.width = c->term.width > 0 ? (unsigned)c->term.width : 0};

	if (!is_url(o.url) || (o.direct && !is_url(o.direct)))
		return ctl_misuse(c, "doctor takes http://… or https://…, found '%s'",
			is_url(o.url) ? o.direct : o.url);
	if (seconds && !(o.ms = parse_seconds(seconds)))
		return ctl_misuse(c, "--seconds takes 0.1 to %d, found '%s'", MAX_SECONDS, seconds);
	for (size_t i = 0; (header = ctl_flag_nth(c, "header", i)); i++) {
		if (!is_header(header))
			return ctl_misuse(c, "--header takes 'NAME: VALUE', found '%s'", header);
		headers[i] = header;
	}
	return doctor_run(&o);
}
