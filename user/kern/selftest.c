#include "kern/selftest.h"
#include "base/clock.h"
#include "kern/kern.h"
#include "kern/loopback.h"
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* Each case gets a fresh stream and sets `reason` when it fails. */
struct trial {
	struct splice *k;
	uint32_t slot;
	struct loopback w;
	char *reason;
	size_t size;
};

#define STEP_MS	     400 /* for one step; a healthy kernel takes less than one */
#define fail(t, ...) (snprintf((t)->reason, (t)->size, __VA_ARGS__), false)

static struct sluice_flow flow_of(const struct trial *t)
{
	struct sluice_flow f;

	splice_state(t->k, t->slot, &f);
	return f;
}

/* A few more bytes go through the kernel: the flow lives. */
static bool next_event(struct trial *t)
{
	uint64_t before = flow_of(t).redirected;

	if (!loopback_send(&t->w, 40) || !loopback_expect(&t->w, STEP_MS))
		return fail(t, "the next event did not arrive");
	if (flow_of(t).redirected != before + 40)
		return fail(t, "the next event was not redirected");
	return true;
}

static bool engage(struct trial *t)
{
	int err = loopback_engage(&t->w);

	return err ? fail(t, "engage: %s", strerror(-err)) : true;
}

static bool exact(struct trial *t, const char *what)
{
	if (loopback_expect(&t->w, STEP_MS))
		return true;
	return fail(t, "%s: %llu of %llu bytes arrived%s", what, (unsigned long long)t->w.received,
		(unsigned long long)t->w.sent, t->w.wrong ? ", not the right ones" : "");
}

static bool case_redirect(struct trial *t)
{
	return engage(t) && next_event(t) && next_event(t);
}

static bool case_queued(struct trial *t)
{
	if (!loopback_send(&t->w, 1000) || !loopback_send(&t->w, 500))
		return fail(t, "send: %s", strerror(errno));
	return engage(t) && exact(t, "bytes from before the hook") && next_event(t);
}

static bool case_half_read(struct trial *t)
{
	if (!loopback_send(&t->w, 6000) || !loopback_copy(&t->w, 700))
		return fail(t, "copy: %s", strerror(errno));
	return engage(t) && exact(t, "a half-read segment") && next_event(t);
}

/* Four times the send buffer at once, to a reader that pauses; then back to the kernel. */
static bool case_burst(struct trial *t)
{
	if (!engage(t))
		return false;
	for (int i = 0; i < 32; i++) {
		if (!loopback_send(&t->w, 4096))
			break; /* backpressure reached the origin */
		loopback_turn(&t->w);
	}
	if (!exact(t, "a burst to a paused reader"))
		return false;
	if (flow_of(t).spills == 0)
		return fail(t, "a full client did not make the verdict pass bytes on to userspace");
	return loopback_resume(&t->w, STEP_MS) ? next_event(t) : fail(t, "no way back into the kernel");
}

static bool case_spill(struct trial *t)
{
	if (!engage(t) || !next_event(t))
		return false;
	for (int i = 0; i < 5; i++) {
		splice_disengage(t->k, t->slot);
		t->w.copying = true;
		if (!loopback_send(&t->w, 300) || !exact(t, "copied bytes"))
			return t->reason[0] ? false : fail(t, "send: %s", strerror(errno));
		if (flow_of(t).passed == 0)
			return fail(t, "the verdict redirected while it was told not to");
		if (!loopback_resume(&t->w, STEP_MS))
			return fail(t, "no way back into the kernel");
		if (!next_event(t))
			return false;
	}
	return true;
}

/* The last bytes and the FIN together: EPOLLRDHUP comes, and the bytes are all there. */
static bool case_data_fin(struct trial *t)
{
	struct pollfd p = {.fd = t->w.up, .events = POLLRDHUP};

	if (!engage(t) || !loopback_send(&t->w, 2000))
		return t->reason[0] ? false : fail(t, "send: %s", strerror(errno));
	shutdown(t->w.origin, SHUT_WR);
	if (poll(&p, 1, STEP_MS) != 1 || !(p.revents & POLLRDHUP))
		return fail(t, "the end of the upstream's bytes was not reported");
	return exact(t, "bytes with a FIN") &&
	       (loopback_eof(&t->w, STEP_MS) || fail(t, "recv() gave no EOF"));
}

/* An empty segment with a FIN leaves the client's socket alone. */
static bool case_bare_fin(struct trial *t)
{
	struct pollfd p = {.fd = t->w.up, .events = POLLRDHUP};

	if (!engage(t) || !next_event(t))
		return false;
	shutdown(t->w.origin, SHUT_WR);
	if (poll(&p, 1, STEP_MS) != 1)
		return fail(t, "the end of the upstream's bytes was not reported");
	if (!loopback_eof(&t->w, STEP_MS))
		return fail(t, "recv() gave no EOF");
	return loopback_write(&t->w, 100) && exact(t, "a write after it")
		       ? true
		       : fail(t, "a bare FIN broke the client's socket");
}

/* Without a client the bytes come to userspace and are not lost. */
static bool case_no_target(struct trial *t)
{
	if (!engage(t) || !next_event(t))
		return false;
	splice_untarget(t->k, t->slot);
	if (!loopback_send(&t->w, 900))
		return fail(t, "send: %s", strerror(errno));
	if (!exact(t, "bytes without a target"))
		return false;
	return flow_of(t).passed == 900 ? true : fail(t, "bytes without a target did not come to userspace");
}

/* The exact end of a response; both connections go on to the next one. */
static bool case_reuse(struct trial *t)
{
	int err;

	t->w.length = t->w.sent + 500;
	if (!engage(t) || !loopback_send(&t->w, 200) || !loopback_send(&t->w, 300) ||
		!exact(t, "a response of known length"))
		return t->reason[0] ? false : fail(t, "send: %s", strerror(errno));
	if (!loopback_ended(&t->w, STEP_MS))
		return fail(t, "the end of the body was not noticed");
	err = splice_release(t->k, t->slot);
	if (err)
		return fail(t, "the connections could not be released: %s", strerror(-err));
	t->w.length = 0;
	return engage(t) && next_event(t);
}

static const struct {
	const char *name;
	bool (*run)(struct trial *t);
} cases[] = {
	{"redirect", case_redirect},
	{"queued-before", case_queued},
	{"half-read", case_half_read},
	{"burst", case_burst},
	{"spill-resume", case_spill},
	{"data-with-fin", case_data_fin},
	{"bare-fin", case_bare_fin},
	{"missing-target", case_no_target},
	{"reuse", case_reuse},
};
_Static_assert(ARRAY_LEN(cases) <= SELFTEST_MAX, "room for every case");

static void run_case(struct splice *k, uint32_t slot, size_t i, struct selftest_case *ret)
{
	struct trial t = {.k = k, .slot = slot, .reason = ret->reason, .size = sizeof(ret->reason)};
	uint64_t start = clock_mono_ns();
	int err = loopback_open(&t.w, k, slot);

	ret->name = cases[i].name;
	if (err)
		snprintf(ret->reason, sizeof(ret->reason), "no connection over loopback: %s", strerror(-err));
	else
		ret->ok = cases[i].run(&t);
	loopback_close(&t.w);
	ret->us = (uint32_t)((clock_mono_ns() - start) / 1000);
}

int selftest_run(struct splice *k, uint32_t slot, struct selftest *ret, char *why, size_t size)
{
	uint64_t start = clock_mono_ns();
	int err = 0;

	*ret = (struct selftest){.ok = true};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct selftest_case *c = &ret->cases[ret->count++];

		run_case(k, slot, i, c);
		if (c->ok)
			continue;
		ret->ok = false;
		if (!err)
			err = kern_fail(why, size, -EPROTO, "self-test \"%s\": %s", c->name, c->reason);
	}
	ret->us = (uint32_t)((clock_mono_ns() - start) / 1000);
	return err;
}
