/* tools/ctl/filter and column: expressions, and the numbers behind them. */
#include "cmocka_first.h"
#include "../filter.h"
#include "base/clock.h"
#include <sys/socket.h>

static struct view_stream stream;
static struct sock client;
static struct row row;

static int setup(void **state)
{
	(void)state;
	stream = (struct view_stream){.c = {.id = 5,
					      .lane = SLUICE_LANE_COPY,
					      .reason = SLUICE_REASON_LAGGING,
					      .start_ns = 100 * NS_PER_S,
					      .last_in_ns = 109 * NS_PER_S,
					      .last_out_ns = 108 * NS_PER_S,
					      .blocked_since_ns = 107 * NS_PER_S,
					      .events = 12,
					      .pending = 70000,
					      .http = 11,
					      .route_name = "chat",
					      .path = "/a/b"}};
	stream.c.client = (struct sluice_addr){
		.ip = {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}, .port = 4444, .family = AF_INET};
	client = (struct sock){.unsent = 500, .unacked = 20, .last_sent_ms = 6000, .srtt_us = 1500};
	row = (struct row){
		.s = &stream, .sock = &client, .now_ns = 110 * NS_PER_S, .rate = ROW_NEVER, .events = 2500};
	return 0;
}

static bool fits(const char *expression)
{
	struct filters f = {0};
	char why[512] = "";

	if (filters_add(&f, expression, why, sizeof(why)))
		fail_msg("%s: %s", expression, why);
	return filters_match(&f, &row);
}

static void what_fits(void **state)
{
	static const char *const yes[] = {"lane=copy", "lane!=splice", "reason=client lags", "reason~lag",
		"route!~rest", "client=10.1.2.3", "client=10.1.2.3:4444", "client~10.1.", "client!=10.1.2.30",
		"client!=10.1.2", "age=10s", "age>=10", "age<11s", "last<=1s", "pending>64K", "pending<70K",
		"events=12", "events!=13", "blocked=3s", "lag>5s", "lag=6s", "unsent=500", "unacked=20",
		"srtt=1.5ms", "srtt<2ms", "first!=3s", "rate!=1K", "pace>2.4", "pace<2.6", "proto=h1.1",
		"path=/a/b", "server="};
	static const char *const no[] = {"lane=splice", "client=10.1.2", "client=10.1.2.3:444", "age>10s",
		"first>0", "first<1h", "rate<1G", "rate>0", "route=cha", "route=", "pending>70000",
		"events>12", "lag<6s"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!fits(yes[i]))
			fail_msg("%s does not fit", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (fits(no[i]))
			fail_msg("%s fits", no[i]);
}

static void an_ipv6_client_without_its_port(void **state)
{
	(void)state;
	stream.c.client = (struct sluice_addr){.ip = {0x20, 0x01, [15] = 1}, .port = 80, .family = AF_INET6};
	assert_true(fits("client=2001::1"));
	assert_true(fits("client=[2001::1]:80"));
	assert_false(fits("client=2001::"));
}

static void all_must_hold(void **state)
{
	struct filters f = {0};
	char why[64];

	(void)state;
	assert_true(filters_match(&f, &row));
	assert_int_equal(filters_add(&f, "lane=copy", why, sizeof(why)), 0);
	assert_int_equal(filters_add(&f, "events=12", why, sizeof(why)), 0);
	assert_true(filters_match(&f, &row));
	assert_false(filters_need_rates(&f));
	assert_int_equal(filters_add(&f, "pace>100", why, sizeof(why)), 0);
	assert_false(filters_match(&f, &row));
	assert_true(filters_need_rates(&f));
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *expression, *said;
	} bad[] = {{"", "is no expression"}, {"lag", "is no expression"}, {">5", "is no expression"},
		{"lag!5", "is no expression"}, {"x=1", "there is no column 'x'; there are id, lane"},
		{"lag>", "takes a time"}, {"lag>5x", "takes a time"}, {"pending>x", "takes bytes"},
		{"lane<copy", "lane is text: it takes = != ~ !~"}, {"lag~5", "lag is a number"},
		{"events=1.5", "takes a number"}, {"events=-1", "takes a number"},
		{"events=", "takes a number"}, {"events=99999999999999999999", "takes a number"}};
	struct filters f = {0};
	char why[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(filters_add(&f, bad[i].expression, why, sizeof(why)), -EINVAL);
		if (!strstr(why, bad[i].said))
			fail_msg("'%s' said: %s", bad[i].expression, why);
	}
	assert_int_equal(f.n, 0);
	for (int i = 0; i < FILTERS_MAX; i++)
		assert_int_equal(filters_add(&f, "lag>1", why, sizeof(why)), 0);
	assert_int_equal(filters_add(&f, "lag>1", why, sizeof(why)), -EINVAL);
}

static void ages_of_what_waits(void **state)
{
	(void)state;
	/* unsent bytes: since TCP last sent any */
	assert_int_equal(row_queue_ms(&row), 6000);
	assert_int_equal(row_lag_ms(&row), 6000);
	/* on their way: as old as the last write */
	client = (struct sock){.unacked = 20, .last_ack_ms = 50000};
	assert_int_equal(row_queue_ms(&row), 2000);
	/* and sent again in vain: since the last ACK */
	client.retransmits = 2;
	assert_int_equal(row_queue_ms(&row), 50000);
	/* nothing waits in the socket: the relay's own backlog */
	client = (struct sock){0};
	assert_int_equal(row_queue_ms(&row), 0);
	assert_int_equal(row_lag_ms(&row), 3000);
	stream.c.blocked_since_ns = 0;
	assert_int_equal(row_lag_ms(&row), 0);
	/* no socket was found */
	row.sock = NULL;
	assert_true(row_queue_ms(&row) == ROW_NEVER && row_unsent(&row) == ROW_NEVER &&
		    row_unacked(&row) == ROW_NEVER);
	assert_int_equal(row_lag_ms(&row), 0);
	stream.spliced = true;
	stream.f.notsent = 77;
	assert_int_equal(row_unsent(&row), 77);
}

static void every_column_can_be_formatted(void **state)
{
	char out[COLUMN_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ncolumns; i++) {
		const struct column *col = &columns[i];

		assert_ptr_equal(column_find(col->name, strlen(col->name)), col);
		assert_true(!col->number != !col->text);
		assert_ptr_equal(column_format(col, &row, out), out);
		assert_true(column_mood(col, &row) < MOOD_COUNT);
	}
	assert_null(column_find("nothing", 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_fits, setup),
		cmocka_unit_test_setup(an_ipv6_client_without_its_port, setup),
		cmocka_unit_test_setup(all_must_hold, setup),
		cmocka_unit_test_setup(what_is_wrong_is_told, setup),
		cmocka_unit_test_setup(ages_of_what_waits, setup),
		cmocka_unit_test_setup(every_column_can_be_formatted, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
