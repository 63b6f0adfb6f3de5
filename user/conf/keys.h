/* Every key of sluice.yaml, once: its kind, its default, its range and where its value goes. The raw structs
 * that libcyaml fills, libcyaml's schema, the checks and the defaults are all made from these lists
 * (schema.c, build.c); docs/CONFIG.md and the example are compared with them by tools/lint/config_doc.py. A
 * default is written as an operator would write it. */
#ifndef SLUICE_CONF_KEYS_H
#define SLUICE_CONF_KEYS_H

#include "conf/value.h"
#include <stddef.h>

/* Rows, `X` being the section:
 * N(X, key, kind, member, default, zero, min, max)  a number; `zero`: the word for 0 ("0": no word), NULL: 0
 * is not allowed C(X, key, choices, member, default)               one word of a list V(X, key, kind, member,
 * default)                  a text, kept as it stands H(X, key, kind, default)                          a
 * scalar that build.c turns into more than one member M(X, key, section)                                a
 * mapping L(X, key, section, max)                           a list of mappings T(X, key, kind, max) a list of
 * texts */
/* clang-format off */

#define MS 1ULL
#define SEC (1000 * MS)
#define HOUR (3600 * SEC)
#define DAY (24 * HOUR)
#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define TOP_KEYS(N, C, V, H, M, L, T, X) \
	V(X, instance, INSTANCE, instance, "default") \
	N(X, workers, COUNT, workers, "auto", "auto", 1, 1024) \
	N(X, max_streams, COUNT, max_streams, "65536", NULL, 1, 4194304) \
	C(X, lane, lane, lane, "auto") \
	V(X, user, USER, user, "nobody") \
	V(X, admin, FILE_PATH, admin, NULL) \
	V(X, admin_http, LISTEN, status, NULL) \
	C(X, admin_http_remote, onoff, status_remote, "off") \
	V(X, resolver, RESOLVER, resolver, NULL) \
	N(X, drain, DURATION, drain_ms, "10s", "0", 1 * MS, 1 * DAY) \
	M(X, log, log) \
	M(X, client, client) \
	M(X, tls, tls) \
	T(X, trusted_proxies, CIDR, 1024) \
	M(X, http2, http2) \
	L(X, listeners, listener, 64) \
	L(X, upstreams, upstream, 1024) \
	L(X, routes, route, 1024)

#define LOG_KEYS(N, C, V, H, M, L, T, X) \
	C(X, level, level, log_level, "info") \
	H(X, access, LOG_TARGET, "off")

#define HTTP2_KEYS(N, C, V, H, M, L, T, X) \
	N(X, max_streams, COUNT, max_streams, "250", NULL, 1, 10000) \
	N(X, max_header_list, SIZE, max_header_list, "64KiB", NULL, 1 * KIB, 64 * KIB) \
	N(X, window, SIZE, window, "64KiB", NULL, 1 * KIB, 16 * MIB) \
	N(X, memory, SIZE, memory, "2MiB", NULL, 256 * KIB, 1 * GIB) \
	N(X, resets_per_second, COUNT, resets_per_s, "100", NULL, 1, 1000000) \
	N(X, pings_per_second, COUNT, pings_per_s, "100", NULL, 1, 1000000) \
	N(X, settings_per_second, COUNT, settings_per_s, "50", NULL, 2, 1000000) \
	N(X, empty_data_per_second, COUNT, empty_data_per_s, "100", NULL, 1, 1000000) \
	N(X, continuations, COUNT, continuations, "20", NULL, 1, 1000) \
	N(X, window_updates_per_second, COUNT, window_updates_per_s, "1000", NULL, 10, 1000000) \
	N(X, dribbles_per_second, COUNT, dribbles_per_s, "100", NULL, 1, 1000000) \
	N(X, priorities_per_second, COUNT, priorities_per_s, "200", NULL, 1, 1000000) \
	N(X, unknown_frames_per_second, COUNT, unknown_per_s, "100", NULL, 1, 1000000) \
	N(X, queued_frames, COUNT, queue, "1000", NULL, 100, 100000)

#define CLIENT_KEYS(N, C, V, H, M, L, T, X) \
	N(X, head_timeout, DURATION, client_head_ms, "10s", NULL, 1 * MS, 1 * HOUR) \
	N(X, keepalive, DURATION, client_keepalive_ms, "75s", NULL, 1 * MS, 1 * DAY) \
	N(X, user_timeout, DURATION, user_timeout_ms, "60s", "off", 1 * SEC, 1 * DAY) \
	N(X, tcp_keepalive, DURATION, tcp_keepalive_ms, "15s", NULL, 1 * SEC, 9 * HOUR) \
	N(X, notsent_lowat, SIZE, notsent_lowat, "16KiB", NULL, 1 * KIB, 64 * MIB)

#define TLS_KEYS(N, C, V, H, M, L, T, X) \
	N(X, ticket_rotation, DURATION, ticket_rotation_ms, "4h", NULL, 1 * SEC, 2 * DAY) \
	N(X, handshake_rate, COUNT, handshake_rate, "1000", "unlimited", 1, 1000000) \
	N(X, handshake_burst, COUNT, handshake_burst, "2000", NULL, 1, 1000000) \
	C(X, ktls, ktls, ktls, "auto")

#define CERTIFICATE_KEYS(N, C, V, H, M, L, T, X) \
	V(X, certificate, FILE, certificate, NULL) \
	V(X, key, FILE, key, NULL) \
	V(X, ocsp, FILE, ocsp, NULL)

#define LISTENER_TLS_KEYS(N, C, V, H, M, L, T, X) \
	L(X, certificates, certificate, 256) \
	C(X, min_version, tls_version, min_version, "1.2") \
	C(X, ciphers, tls_profile, profile, "intermediate") \
	C(X, client_certificates, client_certificates, client_certificates, "off") \
	V(X, client_ca, FILE, client_ca, NULL) \
	V(X, client_subject_header, FIELD_NAME, client_subject_header, NULL) \
	C(X, tickets, onoff, tickets, "on") \
	N(X, handshake_timeout, DURATION, handshake_ms, "10s", NULL, 1 * MS, 1 * HOUR)

#define LISTENER_KEYS(N, C, V, H, M, L, T, X) \
	V(X, listen, LISTEN, listen, NULL) \
	C(X, http, http_versions, http, "auto") \
	M(X, tls, listener_tls) \
	C(X, proxy_protocol, proxy_protocol, proxy_protocol, "off") \
	N(X, backlog, COUNT, backlog, "4096", NULL, 1, 65535) \
	N(X, mode, MODE, unix_mode, "0660", NULL, 0, 0777)

#define UPSTREAM_TLS_KEYS(N, C, V, H, M, L, T, X) \
	C(X, verify, onoff, verify, "on") \
	V(X, ca, FILE, ca, NULL) \
	V(X, server_name, HOST_NAME, server_name, NULL) \
	V(X, certificate, FILE, certificate, NULL) \
	V(X, key, FILE, key, NULL) \
	C(X, min_version, tls_version, min_version, "1.2")

#define UPSTREAM_KEYS(N, C, V, H, M, L, T, X) \
	V(X, name, NAME, name, NULL) \
	L(X, servers, server, 64) \
	M(X, tls, upstream_tls) \
	C(X, balance, balance, balance, "least-conn") \
	V(X, header, TOKEN, balance_header, NULL) \
	V(X, cookie, TOKEN, balance_cookie, NULL) \
	M(X, health, health) \
	N(X, keepalive, COUNT, keepalive, "32", "off", 1, 65536) \
	N(X, keepalive_timeout, DURATION, keepalive_ms, "60s", NULL, 1 * MS, 1 * DAY) \
	V(X, host, HOST_FIELD, host, NULL) \
	H(X, path_prefix, PATH, NULL)

#define SERVER_KEYS(N, C, V, H, M, L, T, X) \
	V(X, address, SERVER, address, NULL) \
	N(X, weight, COUNT, weight, "1", NULL, 1, 256) \
	N(X, max_connections, COUNT, max_connections, "unlimited", "unlimited", 1, 4194304)

#define HEALTH_KEYS(N, C, V, H, M, L, T, X) \
	V(X, path, TARGET, path, "/healthz") \
	V(X, host, HOST_FIELD, host, NULL) \
	N(X, interval, DURATION, interval_ms, "5s", NULL, 10 * MS, 1 * DAY) \
	N(X, timeout, DURATION, timeout_ms, "2s", NULL, 1 * MS, 1 * DAY) \
	N(X, fall, COUNT, fall, "3", NULL, 1, 1000) \
	N(X, rise, COUNT, rise, "2", NULL, 1, 1000) \
	H(X, status, STATUS, "200-399")

#define ROUTE_KEYS(N, C, V, H, M, L, T, X) \
	V(X, name, NAME, name, NULL) \
	V(X, host, HOST_PATTERN, host, NULL) \
	V(X, path, PATH, path, NULL) \
	C(X, exact, onoff, path_exact, "off") \
	T(X, methods, METHOD, 16) \
	H(X, upstream, NAME, NULL) \
	C(X, stream, stream, stream, "auto") \
	C(X, lane, lane, lane, NULL) \
	N(X, heartbeat, DURATION, heartbeat_ms, "15s", "off", 1 * MS, 1 * DAY) \
	M(X, timeouts, timeouts) \
	M(X, slow, slow) \
	N(X, sndbuf, SIZE, sndbuf, "16KiB", "auto", 1 * KIB, 64 * MIB) \
	N(X, sndbuf_max, SIZE, sndbuf_max, "256KiB", NULL, 1 * KIB, 64 * MIB) \
	N(X, max_body, SIZE, max_body, "64MiB", "unlimited", 1, 1 * TIB) \
	N(X, max_streams, COUNT, max_streams, "unlimited", "unlimited", 1, 4194304) \
	C(X, upgrade, onoff, upgrade, "off") \
	C(X, splice_downloads, onoff, splice_downloads, "off") \
	C(X, accept_encoding, accept_encoding, drop_accept_encoding, "drop") \
	L(X, request_headers, edit, 64) \
	L(X, response_headers, edit, 64) \
	C(X, errors, errors, error_mode, "503") \
	N(X, retry, DURATION, retry_ms, "3s", NULL, 1 * MS, 1 * DAY)

#define TIMEOUTS_KEYS(N, C, V, H, M, L, T, X) \
	N(X, connect, DURATION, connect_ms, "5s", NULL, 1 * MS, 1 * HOUR) \
	N(X, head, DURATION, head_ms, "60s", NULL, 1 * MS, 1 * DAY) \
	N(X, idle, DURATION, idle_ms, "1h", "off", 1 * MS, 30 * DAY) \
	N(X, body_idle, DURATION, body_idle_ms, "60s", NULL, 1 * MS, 30 * DAY) \
	N(X, request_body, DURATION, request_body_ms, "30s", NULL, 1 * MS, 1 * DAY) \
	N(X, stall, DURATION, stall_ms, "60s", "off", 1 * MS, 1 * DAY) \
	N(X, max_age, DURATION, max_age_ms, "off", "off", 1 * MS, 30 * DAY)

#define SLOW_KEYS(N, C, V, H, M, L, T, X) \
	C(X, policy, slow_policy, slow, "block") \
	N(X, bytes, SIZE, slow_bytes, "256KiB", NULL, 1, 1 * GIB) \
	N(X, time, DURATION, slow_ms, "10s", "off", 1 * MS, 1 * DAY)

#define EDIT_KEYS(N, C, V, H, M, L, T, X) \
	H(X, set, FIELD, NULL) \
	H(X, add, FIELD, NULL) \
	H(X, remove, FIELD_NAME, NULL)

/* Section, its list, the struct that its values go to, where an operator finds it, and the key whose plain value may stand
 * for the whole mapping. Inner ones first. */
#define SECTIONS(S) \
	S(log, LOG_KEYS, struct settings, "log", NULL) \
	S(http2, HTTP2_KEYS, struct h2_limits, "http2", NULL) \
	S(client, CLIENT_KEYS, struct settings, "client", NULL) \
	S(tls, TLS_KEYS, struct settings, "tls", NULL) \
	S(certificate, CERTIFICATE_KEYS, struct certificate_settings, "listeners[].tls.certificates[]", "certificate") \
	S(listener_tls, LISTENER_TLS_KEYS, struct tls_listener_settings, "listeners[].tls", NULL) \
	S(listener, LISTENER_KEYS, struct listener_settings, "listeners[]", "listen") \
	S(server, SERVER_KEYS, struct server_settings, "upstreams[].servers[]", "address") \
	S(health, HEALTH_KEYS, struct health_settings, "upstreams[].health", NULL) \
	S(upstream_tls, UPSTREAM_TLS_KEYS, struct tls_upstream_settings, "upstreams[].tls", NULL) \
	S(upstream, UPSTREAM_KEYS, struct upstream_settings, "upstreams[]", NULL) \
	S(timeouts, TIMEOUTS_KEYS, struct route_timeouts, "routes[].timeouts", NULL) \
	S(slow, SLOW_KEYS, struct route_settings, "routes[].slow", NULL) \
	S(edit, EDIT_KEYS, struct h1_edit, "routes[].request_headers[]", NULL) \
	S(route, ROUTE_KEYS, struct route_settings, "routes[]", NULL) \
	S(top, TOP_KEYS, struct settings, "the top", NULL)
/* clang-format on */

/* What libcyaml loads: every scalar as text, NULL when the key is absent. */
#define RAW_SCALAR(X, key, ...)	 const char *key;
#define RAW_MAP(X, key, section) struct raw_##section *key;
#define RAW_LIST(X, key, section, max)                                                                       \
	struct raw_##section *key;                                                                           \
	unsigned key##_count;
#define RAW_TEXTS(X, key, kind, max)                                                                         \
	const char **key;                                                                                    \
	unsigned key##_count;
#define RAW_STRUCT(section, LIST, to, where, short)                                                          \
	struct raw_##section {                                                                               \
		LIST(RAW_SCALAR, RAW_SCALAR, RAW_SCALAR, RAW_SCALAR, RAW_MAP, RAW_LIST, RAW_TEXTS, section)  \
	};
SECTIONS(RAW_STRUCT)

#endif
