/* What a stream adds to the histograms of its worker at the turns of its life. */
#include "base/clock.h"
#include "stream/stream.h"

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static bool is_event_stream(const struct stream *s)
{
	return s->ctl->flags & SLUICE_CTL_EVENT_STREAM;
}

void count_head(struct stream *s)
{
	HISTOGRAM_ADD(s->env->totals, time_to_head, since(s->ctl->start_ns, s->ctl->head_ns));
}

void count_first_event(struct stream *s)
{
	if (is_event_stream(s))
		HISTOGRAM_ADD(
			s->env->totals, time_to_first_event, since(s->ctl->start_ns, s->ctl->first_event_ns));
}

void count_abort(struct stream *s)
{
	HISTOGRAM_ADD(s->env->totals, abort_time, since(loop_now_ns(s->env->loop), clock_mono_ns()));
}

void count_end(struct stream *s)
{
	struct sluice_counters *t = s->env->totals;
	uint64_t lived = since(s->ctl->start_ns, loop_now_ns(s->env->loop));

	t->ended[s->end_by][s->phase]++;
	t->streams_now--;
	if (s->ctl->flags & SLUICE_CTL_TRUNCATED)
		t->truncations++;
	if (is_event_stream(s)) {
		HISTOGRAM_ADD(t, stream_lifetime, lived);
		HISTOGRAM_ADD(t, pending_peak, s->ctl->pending_max);
	} else {
		HISTOGRAM_ADD(t, request_duration, lived);
	}
}
