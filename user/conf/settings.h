/* What the operator asked for, checked and with every default filled in. Built once from YAML (or from the
 * flags of `sluice proxy`), then only read; shared by reference count, so a stream keeps the settings it
 * began with across a reload. Times are milliseconds, sizes bytes, strings NUL-terminated and owned by the
 * settings. */
#ifndef SLUICE_CONF_SETTINGS_H
#define SLUICE_CONF_SETTINGS_H

#include "base/buf.h"
#include "base/log.h"
#include "proto/h1_write.h"
#include "proto/h2.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum lane_choice { LANE_AUTO, LANE_COPY, LANE_SPLICE };
enum stream_mode { STREAM_AUTO, STREAM_ON, STREAM_OFF }; /* auto: by the response's Content-Type */
enum slow_policy { SLOW_BLOCK, SLOW_DROP, SLOW_CLOSE };
enum error_mode {
	ERROR_503,
	ERROR_RESET,
	ERROR_RETRY
}; /* what an event request gets when no upstream can be reached */
enum balance { BALANCE_LEAST_CONN, BALANCE_ROUND_ROBIN, BALANCE_HASH, BALANCE_STICKY };
enum proxy_protocol { PROXY_OFF, PROXY_REQUIRED }; /* v1 and v2 are told apart by their first bytes */

enum http_versions { HTTP_AUTO, HTTP_1_1_ONLY, HTTP_2_ONLY };
enum tls_version { TLS_1_2, TLS_1_3 };
enum tls_profile { TLS_INTERMEDIATE, TLS_MODERN }; /* Mozilla's, guideline 5.8 */
enum client_certificates { CLIENT_CERTS_OFF, CLIENT_CERTS_REQUEST, CLIENT_CERTS_REQUIRE };

struct sockaddr_any {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_storage ss;
		struct sockaddr_un un;
	};
	socklen_t len;
};

/* `trusted_proxies`: whose X-Forwarded-* and Forwarded are kept. */
struct cidr {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;	/* of 128 */
};

/* Files, PEM but for the OCSP response, which is DER. */
struct certificate_settings {
	char *certificate; /* the server's first, then its chain */
	char *key;	   /* NULL: in the certificate's file */
	char *ocsp;	   /* response to staple; NULL: none */
};

struct tls_listener_settings {
	struct certificate_settings *certificates; /* the first is the default */
	size_t ncertificates;
	bool self_signed;	      /* no certificates: one is made in memory at start (`sluice proxy
					 --tls-self-signed`) */
	enum tls_version min_version; /* 1.2, with TLS_MODERN 1.3 */
	enum tls_profile profile;
	enum client_certificates client_certificates;
	char *client_ca;	     /* file; NULL: none */
	char *client_subject_header; /* field that tells upstreams the certificate's subject; NULL: none */
	bool tickets;		     /* sessions are resumed: true */
	uint64_t handshake_ms;	     /* 10 s */
};

struct tls_upstream_settings {
	bool verify;	   /* chain and name: true */
	char *ca;	   /* file; NULL: the system's store */
	char *server_name; /* SNI and the name that is verified; NULL: the server's host */
	char *certificate,
		*key; /* own, for servers that ask; NULL: none. No key: it is in the certificate's file */
	enum tls_version min_version; /* 1.2 */
};

struct listener_settings {
	char *listen; /* as written: "127.0.0.1:8080", "[::]:443", "unix:/run/sluice.sock" */
	struct sockaddr_any addr;
	enum proxy_protocol proxy_protocol;
	enum http_versions http;
	struct tls_listener_settings *tls; /* NULL: plaintext */
	int backlog;			   /* 4096 */
	unsigned unix_mode;		   /* of a unix socket's file; 0660 */
};

struct server_settings {
	char *address; /* as written: "127.0.0.1:4000", "app.internal:80", "[::1]:80", "unix:/run/app.sock" */
	char *host;    /* name or IP literal; NULL for a unix socket */
	uint16_t port;
	struct sockaddr_any unix_addr; /* len 0: not a unix socket */
	unsigned weight;	       /* 1..256; 1 */
	unsigned max_connections;      /* of all workers; 0: no limit */
};

struct health_settings {
	bool on;
	char *path;			 /* "/healthz" */
	char *host;			 /* Host field; NULL: the server's address */
	uint64_t interval_ms;		 /* 5 s */
	uint64_t timeout_ms;		 /* 2 s, to the complete response head: an endless body passes */
	unsigned fall;			 /* failures in a row until down: 3 */
	unsigned rise;			 /* successes in a row until up: 2 */
	unsigned status_min, status_max; /* 200..399 */
};

struct upstream_settings {
	char *name;
	struct server_settings *servers;
	size_t nservers;
	enum balance balance;
	char *balance_header; /* hash, sticky: the field; NULL with a cookie */
	char *balance_cookie; /* hash: the cookie's name */
	struct health_settings health;
	struct tls_upstream_settings *tls; /* NULL: plaintext */
	unsigned keepalive;		   /* idle connections kept per server and worker: 32 */
	uint64_t keepalive_ms;		   /* how long: 60 s */
	char *host;			   /* replaces Host; NULL: the client's passes */
	char *path_prefix;		   /* put before the path; NULL: none */
};

struct route_timeouts {
	uint64_t connect_ms;	  /* 5 s */
	uint64_t head_ms;	  /* 60 s, request sent to response head complete */
	uint64_t idle_ms;	  /* upstream silent, event streams: 1 h; 0 = never */
	uint64_t body_idle_ms;	  /* upstream silent, other responses and tunnels: 60 s */
	uint64_t request_body_ms; /* client silent while its body is awaited: 30 s */
	uint64_t stall_ms;	  /* client takes no byte: 60 s; 0 = never */
	uint64_t max_age_ms;	  /* a stream's whole life, +/- 10 % jitter; 0 = no limit (default) */
};

struct route_settings {
	char *name;	  /* default: "route N" */
	char *host;	  /* exact, or "*.example.org"; NULL: any. Port ignored. */
	char *path;	  /* NULL: any */
	bool path_exact;  /* else prefix */
	unsigned methods; /* bit set of 1 << enum h1_method; 0: any */
	size_t upstream;  /* index */
	enum stream_mode stream;
	enum lane_choice lane; /* default: the settings' lane */
	uint64_t heartbeat_ms; /* 15 s; 0 = off */
	struct route_timeouts timeouts;
	enum slow_policy slow;
	uint64_t slow_bytes;	   /* lag that drop and close allow: 256 KiB; drop: also the queue's size */
	uint64_t slow_ms;	   /* close: lag in time; 10 s; 0: by bytes only */
	unsigned sndbuf;	   /* SO_SNDBUF on event streams: 16 KiB; 0 = auto */
	unsigned sndbuf_max;	   /* ceiling of auto: 256 KiB */
	uint64_t max_body;	   /* request body; 0: no limit; 64 MiB */
	unsigned max_streams;	   /* of this route, all workers; 0: no limit */
	bool upgrade;		   /* tunnels (WebSocket) allowed */
	bool splice_downloads;	   /* the splice lane for other responses as well */
	bool drop_accept_encoding; /* on event requests: true */
	struct h1_edits request_edits, response_edits;
	enum error_mode error_mode;
	uint64_t retry_ms; /* `retry:` told to clients in error mode retry and at drain: 3 s */
};

struct settings {
	int refs;	/* settings_ref, settings_unref */
	char *instance; /* "default" */
	char *admin; /* path of the admin socket; NULL: /run/sluice/INSTANCE.sock when that folder can be made
		      */
	char *status;	      /* `admin_http`: where the status page is served; NULL: nowhere */
	bool status_remote;   /* `admin_http_remote`: not on loopback only */
	unsigned workers;     /* 0 in YAML = one per core; resolved here */
	unsigned max_streams; /* slots, all workers: 65,536 */
	enum lane_choice lane;
	char *user;		      /* the workers', when started as root; "nobody". "root": keep */
	char *resolver;		      /* DNS server "127.0.0.1:53"; NULL: /etc/resolv.conf */
	uint64_t client_head_ms;      /* request head: 10 s */
	uint64_t client_keepalive_ms; /* idle between requests: 75 s */
	uint64_t user_timeout_ms;     /* TCP_USER_TIMEOUT to clients: 60 s */
	uint64_t tcp_keepalive_ms;    /* idle before TCP keepalive probes: 15 s */
	unsigned notsent_lowat;	      /* 16 KiB */
	uint64_t ticket_rotation_ms;  /* a new session ticket key so often: 4 h */
	unsigned
		handshake_rate; /* TLS handshakes a second, per source address and worker: 1,000; 0 = no limit
				 */
	bool ktls;		/* the kernel encrypts where it can: true */
	unsigned handshake_burst; /* as many may come at once: 2,000 */
	uint64_t drain_ms;	  /* window over which a shutdown spreads its closes: 10 s */
	enum log_level log_level;
	char *access_log;	/* path, "stderr", or NULL: off */
	struct h2_limits http2; /* of each HTTP/2 connection */
	struct cidr *trusted;
	size_t ntrusted;

	struct listener_settings *listeners;
	size_t nlisteners;
	/* Every client_subject_header there is, the listeners' own texts: no client of any listener may send
	 * one. */
	const char **subject_headers;
	size_t nsubject_headers;
	struct upstream_settings *upstreams;
	size_t nupstreams;
	struct route_settings *routes; /* first match wins: order as written, `policy/route.h` */
	size_t nroutes;
};

struct settings *settings_ref(struct settings *s);
/* NULL is legal. Frees with the last reference. */
void settings_unref(struct settings *s);

/* The flags of `sluice proxy`; zero or NULL is "not given". */
struct proxy_options {
	const char *listen, *to, *instance, *admin, *admin_http, *lane, *workers, *heartbeat, *access_log,
		*log_level;
	bool tls_self_signed;
};

/* Both return 0 and *ret, or -EINVAL with one line per mistake in `errors` ("file:line: key: what is allowed,
 * found …"), all of them, or -ENOMEM, or another negative errno when the file cannot be read (said in
 * `errors` too). */
must_check int settings_load(const char *path, struct settings **ret, struct buf *errors);
/* From memory, `name` stands for the file in messages: what workers do with the text the master read. */
must_check int settings_parse(const char *name, struct slice text, struct settings **ret, struct buf *errors);
must_check int settings_from_options(
	const struct proxy_options *o, struct settings **ret, struct buf *errors);

#endif
