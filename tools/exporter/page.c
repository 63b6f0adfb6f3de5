#include "exporter/page.h"
#include "base/clock.h"
#include "exporter/families.h"
#include "observe/counters.h"
#include <stdio.h>

void page_view(struct page *p, const struct view *v)
{
	streams_reset(&p->sums);
	p->counters = v ? view_section(v, "counters", sizeof(*p->counters), &p->ncounters) : NULL;
	p->servers = v ? view_section(v, "servers", sizeof(*p->servers), &p->nservers) : NULL;
	p->certs = v ? view_section(v, "certs", sizeof(*p->certs), &p->ncerts) : NULL;
}

void page_done(struct page *p)
{
	streams_reset(&p->sums);
	view_shot_done(&p->shot);
	kworker_done(&p->kworker);
}

static void write_about(const struct view *v, struct text *t)
{
	const struct sluice_about *a = view_about(v);
	char abi[12];

	snprintf(abi, sizeof(abi), "%u", a->abi);
	family_begin(t, FAMILY_BUILD);
	family_sample(t, FAMILY_BUILD, 1, a->version, abi);
	family_single(t, FAMILY_START, (double)(a->start_wall_ns / NS_PER_MS) / 1000);
	family_single(t, FAMILY_WORKERS, a->workers);
	family_single(t, FAMILY_MAX_STREAMS, a->slots);
	family_single(t, FAMILY_SPLICE, view_spliced(v));
}

/* The daemon's rows and the verdict's, which are one to whoever looks at them. */
static void write_counts(struct page *p, const struct view *v, struct text *t)
{
	struct sluice_totals kernel = {0};
	struct sluice_counters c;

	if (!p->counters)
		return;
	counters_sum(p->counters, p->ncounters, &c);
	if (view_kernel(v, &kernel) == 0) {
		c.event_gap.sum += kernel.event_gap.sum;
		for (size_t i = 0; i < SLUICE_BUCKETS; i++)
			c.event_gap.bucket[i] += kernel.event_gap.bucket[i];
	}
	counts_write(&c, &kernel, t);
}

static int write_daemon(struct page *p, const struct view *v, struct text *t)
{
	int err = view_snapshot(v, &p->shot);

	if (!err)
		err = streams_sum(&p->sums, &p->shot);
	if (err)
		return err;
	write_about(v, t);
	streams_write(&p->sums, t);
	write_counts(p, v, t);
	if (p->servers)
		servers_write(p->servers, p->nservers, t);
	if (p->certs)
		certs_write(p->certs, p->ncerts, t);
	if (p->top)
		streams_write_top(&p->shot, p->top, t);
	return 0;
}

static void write_self(struct page *p, struct text *t)
{
	double seconds = kworker_seconds(&p->kworker);

	if (seconds >= 0)
		family_single(t, FAMILY_KWORKER, seconds);
	family_begin(t, FAMILY_EXPORTER_BUILD);
	family_sample(t, FAMILY_EXPORTER_BUILD, 1, SLUICE_VERSION);
	family_single(t, FAMILY_EXPORTER_SCRAPES, (double)++p->scrapes);
	family_single(t, FAMILY_EXPORTER_SECONDS, p->last_seconds);
}

int page_write(struct page *p, const struct view *v, struct text *t)
{
	uint64_t begin = clock_mono_ns();
	int err = 0;

	family_single(t, FAMILY_UP, v != NULL);
	if (v)
		err = write_daemon(p, v, t);
	write_self(p, t);
	if (!err)
		err = text_end(t);
	p->last_seconds = (double)(clock_mono_ns() - begin) / (double)NS_PER_S;
	return err;
}
