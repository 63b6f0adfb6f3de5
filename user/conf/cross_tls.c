/* What the keys of TLS mean for each other. */
#include "conf/cross.h"
#include "proto/h1_fields.h"

/* Clients' fields of that name are dropped, and those that sluice knows have a meaning of their own. */
static void check_subject_header(const struct entry *e)
{
	struct slice name = entry_text(e, "client_subject_header");
	char text[QUOTED_MAX];

	if (name.p && (h1_field_lookup(name) || h1_field_lookalike(name)))
		entry_mistake(e, "client_subject_header",
			"a name of your own such as X-Client-Subject, found %s, which means something else",
			quoted(name, text));
}

void cross_check_listener_tls(const struct entry *listener)
{
	struct entry e = entry_inner(listener, SECTION_listener_tls, "tls");
	uint64_t asked, profile, version;

	if (!e.map || e.map->type != YAML_MAPPING_NODE)
		return;
	if (entry_lacks_list(&e, "certificates"))
		entry_mistake(&e, "certificates", "a list of at least one certificate, found none");
	for (size_t i = 0; i < entry_count(&e, "certificates"); i++) {
		struct entry c = entry_of(&e, SECTION_certificate, "certificates", i);

		(void)entry_require(&c, "certificate", "a file with the server's certificate and its chain");
	}
	if (entry_number(&e, "client_certificates", &asked)) {
		if (asked != CLIENT_CERTS_OFF && !entry_has(&e, "client_ca"))
			entry_mistake(&e, "client_certificates",
				"request or require with client_ca, the file of the authorities that sign "
				"them, found none");
		else if (asked == CLIENT_CERTS_OFF && entry_has(&e, "client_ca"))
			entry_mistake(&e, "client_ca",
				"only with client_certificates: request or require, found without");
		if (asked == CLIENT_CERTS_OFF && entry_has(&e, "client_subject_header"))
			entry_mistake(&e, "client_subject_header",
				"only with client_certificates: request or require, found without");
	}
	check_subject_header(&e);
	if (entry_has(&e, "min_version") && entry_number(&e, "ciphers", &profile) && profile == TLS_MODERN &&
		entry_number(&e, "min_version", &version) && version != TLS_1_3)
		entry_mistake(&e, "min_version", "1.3 with ciphers: modern, found less");
}

void cross_check_upstream_tls(const struct entry *upstream)
{
	struct entry e = entry_inner(upstream, SECTION_upstream_tls, "tls");
	uint64_t verify;

	if (!e.map || e.map->type != YAML_MAPPING_NODE)
		return;
	if (entry_has(&e, "key") && !entry_has(&e, "certificate"))
		entry_mistake(&e, "key", "only with certificate, found without");
	if (!entry_number(&e, "verify", &verify))
		return;
	if (!verify && entry_has(&e, "ca"))
		entry_mistake(&e, "ca", "only with verify: on, found with off");
	for (size_t i = 0; verify && !entry_has(&e, "server_name") && i < entry_count(upstream, "servers");
		i++) {
		struct entry s = entry_of(upstream, SECTION_server, "servers", i);

		if (slice_starts(entry_text(&s, "address"), SLICE("unix:"))) {
			entry_mistake(&e, "server_name",
				"the name in the server's certificate, as servers[%zu] is a unix socket and "
				"has none, found no such key",
				i);
			return;
		}
	}
}
