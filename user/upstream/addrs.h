/* The addresses behind one server's name, and which of them failed lately. Owned by the server, used on its
 * worker's thread. Does no I/O. */
#ifndef SLUICE_UPSTREAM_ADDRS_H
#define SLUICE_UPSTREAM_ADDRS_H

#include "conf/settings.h"

struct addr_entry {
	struct sockaddr_any addr;
	unsigned failures;   /* in a row; many at once count once */
	uint64_t counted_ms; /* when the last of them was counted */
	uint64_t failed_ms;  /* the last failure of all */
	uint64_t skip_ms;    /* not tried before then while another one can be */
};

struct addrs {
	struct addr_entry *list;
	size_t n;
	size_t next;	/* rotation */
	size_t failing; /* entries with failures */
};

void addrs_done(struct addrs *a);
/* Replaces the list (n > 0); what is known of an address that stays, stays known. -ENOMEM: nothing changed.
 */
must_check int addrs_set(struct addrs *a, const struct sockaddr_any *list, size_t n);
bool addrs_has(const struct addrs *a, const struct sockaddr_any *addr);
/* The next to dial, NULL when the list is empty. Dials rotate over all addresses that work; one that failed
 * is left out for a while, then one dial tests it. When all are left out, dials rotate over them all the
 * same. */
const struct sockaddr_any *addrs_next(struct addrs *a, uint64_t now_ms);
/* The same for a request that already failed on this server since `since_ms`: an address that has not failed
 * since; NULL: none. */
const struct sockaddr_any *addrs_next_untried(struct addrs *a, uint64_t since_ms);
bool addrs_any_untried(const struct addrs *a, uint64_t since_ms);
/* True: every address is failing now, the server itself is the trouble. */
bool addrs_failed(struct addrs *a, const struct sockaddr_any *addr, uint64_t now_ms);
void addrs_worked(struct addrs *a, const struct sockaddr_any *addr);

#endif
