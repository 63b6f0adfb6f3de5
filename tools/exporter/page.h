/* /metrics: what a view of the daemon shows, as text. No I/O but reading the view, the verdict's counters and
 * /proc. */
#ifndef SLUICE_EXPORTER_PAGE_H
#define SLUICE_EXPORTER_PAGE_H

#include "exporter/kworker.h"
#include "exporter/streams.h"
#include "exporter/text.h"

/* What stays from one page to the next. Zero it first. */
struct page {
	struct view_shot shot;
	struct stream_sums sums;
	struct kworker kworker;
	const struct sluice_counters *counters; /* sections of the view, or NULL */
	const struct sluice_server *servers;
	const struct sluice_cert *certs;
	uint32_t ncounters, nservers, ncerts;
	uint64_t scrapes;
	double last_seconds;
	size_t top; /* --top */
};

/* A view was opened (or NULL: the daemon has gone). */
void page_view(struct page *p, const struct view *v);
/* Writes the page. `v` may be NULL. 0 or -ENOMEM. */
must_check int page_write(struct page *p, const struct view *v, struct text *t);
void page_done(struct page *p);

/* counts.c: every family of counters.def. `kernel` is all zero without the splice lane. */
void counts_write(const struct sluice_counters *c, const struct sluice_totals *kernel, struct text *t);
/* servers.c */
void servers_write(const struct sluice_server *rows, uint32_t count, struct text *t);
void certs_write(const struct sluice_cert *rows, uint32_t count, struct text *t);

#endif
