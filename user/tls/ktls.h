/* The kernel's record layer (Documentation/networking/tls.rst), sending only. Private to tls/. */
#ifndef SLUICE_TLS_KTLS_H
#define SLUICE_TLS_KTLS_H

#include "base/util.h"
#include <sys/types.h>

bool ktls_allowed(void);
/* Hands the socket's sending over. `info` is a struct tls12_crypto_info_* of linux/tls.h. */
must_check int ktls_engage(int fd, const void *info);
/* A record that is no application data: an alert, a handshake message. -1 and errno. */
ssize_t ktls_send_record(int fd, unsigned char type, const void *p, size_t n);

#endif
