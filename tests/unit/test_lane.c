/* policy/lane: each fact that keeps a stream from the kernel, its reason, and which one is named first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy/lane.h"

static const struct lane_facts good = {.asked = LANE_AUTO, .stream = true, .endless = true};

static void expect(const struct lane_facts *f, enum sluice_lane lane, enum sluice_lane_reason reason)
{
	enum sluice_lane_reason got = SLUICE_REASON_COUNT;

	assert_int_equal(lane_choose(f, &got), lane);
	assert_int_equal(got, reason);
}

static void a_plain_stream_is_the_kernels(void **state)
{
	struct lane_facts f = good;

	(void)state;
	expect(&f, SLUICE_LANE_SPLICE, SLUICE_REASON_NONE);
	f.asked = LANE_SPLICE;
	expect(&f, SLUICE_LANE_SPLICE, SLUICE_REASON_NONE);
	f = (struct lane_facts){.asked = LANE_AUTO, .splice_downloads = true, .left = LANE_SMALL_BODY};
	expect(&f, SLUICE_LANE_SPLICE, SLUICE_REASON_NONE);
}

static void each_fact_has_its_reason(void **state)
{
	struct lane_facts f = good;

	(void)state;
	f.kernel = SLUICE_REASON_KERNEL_SELFTEST;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_KERNEL_SELFTEST);
	f.transform = true;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_TRANSFORM);
	f.endless = false;
	f.left = LANE_SMALL_BODY - 1;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_SMALL);
	f.stream = false;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_NOT_A_STREAM);
	f.upstream_unix = true;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_UNIX_SOCKET);
	f.h2 = true;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_H2);
	f.tls = true;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_TLS);
	f.asked = LANE_COPY;
	expect(&f, SLUICE_LANE_COPY, SLUICE_REASON_ASKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_stream_is_the_kernels),
		cmocka_unit_test(each_fact_has_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
