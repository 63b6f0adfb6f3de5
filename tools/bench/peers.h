/* Who can be compared: one row per contender, with the command line and config file that run it at its best
 * for event streams. Adding a peer is a row here and a file in peers/. */
#ifndef SLUICE_BENCH_PEERS_H
#define SLUICE_BENCH_PEERS_H

#include "base/buf.h"

#define PEER_ARGS_MAX 16

/* Texts may hold these names between at signs: LISTEN and ORIGIN (ADDR:PORT), either with _HOST or _PORT
 * for a half of it, DIR (a directory of its own), CONF (its config there), CERT (PEM, certificate and key),
 * SLUICE (the relay's path), INSTANCE (a name that no other comparison uses), WORKERS (how many processes or
 * threads share the streams); none: an at sign. An argument,
 * or a line of a config file, that begins with PLAIN or TLS between at signs is there only when clients come
 * so; HTTP/2 and HTTP/1.1 are chosen by ALPN and need no lines of their own. */
struct peer {
	const char *name;
	const char *about;
	const char *conf;		 /* file in peers/; NULL: none */
	const char *argv[PEER_ARGS_MAX]; /* NULL first: no process, the load goes straight to the origin */
	const char *version[4];		 /* prints its version */
};

struct peer_vars {
	const char *listen, *origin, *dir, *conf, *cert, *sluice, *instance, *workers;
	bool tls; /* clients come over TLS */
};

/* NULL when there is none of that name. */
const struct peer *peer_find(struct slice name);
/* All names, with spaces between. */
void peer_names(char *out, size_t size);

/* Appends `text` with its @NAMES@ replaced. -EINVAL for a name that does not exist. */
must_check int peer_expand(struct slice text, const struct peer_vars *vars, struct buf *out);
/* Whether an argument or a line stays with these clients; its mark is taken off. */
bool peer_keeps(struct slice *text, const struct peer_vars *vars);
/* Writes peers/FILE, expanded, to vars->conf. Negative errno. */
must_check int peer_write_conf(const struct peer *p, const char *peers_dir, const struct peer_vars *vars);
/* Expands a command line. Free with peer_argv_free(). Negative errno. */
must_check int peer_argv(const char *const *from, const struct peer_vars *vars, char **ret_argv);
void peer_argv_free(char **argv);

#endif
