/* The master's part of TLS: it alone may read keys, and it alone renews the ticket keys. */
#include "base/log.h"
#include "main/master_state.h"
#include <stdio.h>

void log_lines(const char *what, const struct buf *lines, char *why, size_t why_size)
{
	const char *line = lines->data;

	for (size_t left = lines->len; left;) {
		const char *end = memchr(line, '\n', left);
		size_t n = end ? (size_t)(end - line) : left;

		log_error("%s: %.*s", what, (int)n, line);
		if (why && !*why)
			snprintf(why, why_size, "%.*s", (int)n, line);
		left -= n + (end ? 1 : 0);
		line += n + 1;
	}
}

static void log_warnings(const struct buf *lines)
{
	const char *line = lines->data;

	for (size_t left = lines->len; left;) {
		const char *end = memchr(line, '\n', left);
		size_t n = end ? (size_t)(end - line) : left;

		log_warn("%.*s", (int)n, line);
		left -= n + (end ? 1 : 0);
		line += n + 1;
	}
}

/* Whoever tries sluice out can compare this with what the client shows. */
static void say_fingerprint(const struct settings *s, const struct tls_material *m)
{
	struct tls_certificate_info info;

	for (size_t i = 0; i < s->nlisteners; i++)
		if (s->listeners[i].tls && s->listeners[i].tls->self_signed &&
			tls_material_certificate(m, s, 0, &info) == 0)
			log_info("self-signed certificate for %s, SHA-256 fingerprint %s", info.names,
				info.fingerprint);
}

int certificates_load(const struct settings *s, struct tls_material **ret, char *why, size_t why_size)
{
	_cleanup_buf_ struct buf errors = {0}, warnings = {0};
	int err = tls_material_load(s, ret, &errors, &warnings);

	log_lines("TLS", &errors, why, why_size);
	log_warnings(&warnings);
	if (!err)
		say_fingerprint(s, *ret);
	return err;
}

static void row_set(struct sluice_cert *row, const struct tls_certificate_info *info)
{
	__atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	row->not_after = info ? (uint64_t)MAX(info->not_after, (int64_t)0) : 0;
	snprintf(row->file, sizeof(row->file), "%s", info ? info->file : "");
	snprintf(row->names, sizeof(row->names), "%s", info ? info->names : "");
	__atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_RELEASE);
}

/* Several listeners may use one file. */
static bool is_shown(const struct sluice_cert *rows, size_t n, const struct tls_certificate_info *info)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(rows[i].file, info->file, sizeof(rows[i].file) - 1) == 0 &&
			strncmp(rows[i].names, info->names, sizeof(rows[i].names) - 1) == 0)
			return true;
	return false;
}

void certificates_show(struct master *m)
{
	struct tls_certificate_info info;
	size_t n = 0;

	for (size_t i = 0; i < tls_material_certificates(m->material) && n < SLUICE_MAX_CERTS; i++)
		if (tls_material_certificate(m->material, m->settings, i, &info) == 0 &&
			!is_shown(m->certs, n, &info))
			row_set(&m->certs[n++], &info);
	for (; n < SLUICE_MAX_CERTS && m->certs[n].file[0]; n++)
		row_set(&m->certs[n], NULL);
}

static void on_ticket_timer(struct timer *t)
{
	struct master *m = container_of(t, struct master, ticket_timer);

	if (tls_tickets_rotate(m->tickets))
		log_error("no random bytes for a new session ticket key; the old one stays in use");
	timer_in(m->loop, t, m->settings->ticket_rotation_ms);
}

static bool uses_tls(const struct settings *s)
{
	for (size_t i = 0; i < s->nlisteners; i++)
		if (s->listeners[i].tls)
			return true;
	for (size_t i = 0; i < s->nupstreams; i++)
		if (s->upstreams[i].tls)
			return true;
	return false;
}

/* Before the workers are forked: they inherit it, and could not load the module. */
static void start_ktls(const struct settings *s)
{
	char why[200];

	if (!s->ktls || !uses_tls(s))
		return;
	if (tls_ktls_try(why, sizeof(why))) {
		log_info("kernel TLS off, workers encrypt themselves: %s", why);
		return;
	}
	log_debug("kernel TLS: tried over loopback, works");
	tls_ktls_allow(true);
}

int certificates_start(struct master *m)
{
	int err = tls_tickets_new(&m->tickets);

	if (err)
		return err;
	certificates_show(m);
	start_ktls(m->settings);
	timer_init(&m->ticket_timer, on_ticket_timer);
	timer_in(m->loop, &m->ticket_timer, m->settings->ticket_rotation_ms);
	return 0;
}
