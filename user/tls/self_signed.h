/* A certificate for trying out, made in memory. */
#ifndef SLUICE_TLS_SELF_SIGNED_H
#define SLUICE_TLS_SELF_SIGNED_H

#include "tls/material.h"

/* P-256, 30 days, for localhost, the host's name and the address (127.0.0.1 and ::1 when that is any). */
must_check int self_signed_make(const struct sockaddr_any *listen, struct tls_pair *ret);

#endif
