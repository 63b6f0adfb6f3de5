/* exporter/text, families, counts: escaping, both formats, negotiation, histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "exporter/families.h"
#include "exporter/page.h"
#include <stdio.h>

static void escaped(const char *value, const char *want)
{
	struct text t = {0};

	text_escape(&t, value);
	assert_int_equal(t.err, 0);
	assert_int_equal(buf_append(&t.out, "", 1), 0);
	assert_string_equal(t.out.data, want);
	buf_reset(&t.out);
}

static void labels_are_escaped(void **state)
{
	(void)state;
	escaped("plain", "plain");
	escaped("a\"b\\c\nd", "a\\\"b\\\\c\\nd");
	escaped("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a");
	escaped("\t\r\x01\x7f", "\\\\x09\\\\x0d\\\\x01\\\\x7f");
	escaped("\xc2\x85", "\\\\xc2\\\\x85"); /* a control character of two bytes */
	escaped("\xff", "\\\\xff");
	escaped("\xe2\x82", "\\\\xe2\\\\x82");		  /* cut */
	escaped("\xc0\xaf", "\\\\xc0\\\\xaf");		  /* overlong */
	escaped("\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80"); /* a surrogate */
	escaped("\xf4\x90\x80\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80");
}

/* Whatever the bytes are, what comes out is UTF-8 without control characters, quotes and newlines that are
 * not escaped. */
static void any_bytes_stay_inside(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char value[24];
		struct text t = {0};
		size_t n = 1 + (size_t)(round % 22);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			value[i] = (char)(seed >> 16);
			value[i] = value[i] ? value[i] : 'x';
		}
		value[n] = '\0';
		text_escape(&t, value);
		for (size_t i = 0; i < t.out.len; i++) {
			unsigned char c = (unsigned char)t.out.data[i];

			assert_true(c >= 0x20 && c != 0x7f);
			if (c == '\\') {
				assert_true(i + 1 < t.out.len && strchr("\\\"n", t.out.data[i + 1]));
				i++;
			} else {
				assert_int_not_equal(c, '"');
			}
		}
		buf_reset(&t.out);
	}
}

static void negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum text_format want;
	} rows[] = {
		{NULL, TEXT_PROMETHEUS},
		{"", TEXT_PROMETHEUS},
		{"*/*", TEXT_PROMETHEUS},
		{"text/html", TEXT_PROMETHEUS},
		{"application/openmetrics-text", TEXT_OPENMETRICS},
		{"Application/OpenMetrics-Text; version=1.0.0", TEXT_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0,application/"
		 "openmetrics-text;version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
			TEXT_OPENMETRICS},
		{"application/openmetrics-text;q=0.4, text/plain;q=0.5", TEXT_PROMETHEUS},
		{"application/openmetrics-text;q=0.5, text/plain;q=0.5", TEXT_OPENMETRICS},
		{"application/openmetrics-text;q=0", TEXT_PROMETHEUS},
		{"application/openmetrics-text;q=0.001", TEXT_OPENMETRICS},
		{"application/openmetrics-text;q=0.3, */*;q=0.9", TEXT_PROMETHEUS},
		{"application/openmetrics-textile", TEXT_PROMETHEUS},
		{",,, ;q=1,", TEXT_PROMETHEUS},
		{"application/openmetrics-text;q", TEXT_OPENMETRICS},
		{"application/openmetrics-text;q=", TEXT_OPENMETRICS},
		{"application/openmetrics-text;q=0.", TEXT_PROMETHEUS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (text_negotiate(rows[i].accept) != rows[i].want)
			fail_msg("Accept: %s", rows[i].accept);
}

static void written(struct text *t, const char *want)
{
	assert_int_equal(t->err, 0);
	assert_int_equal(buf_append(&t->out, "", 1), 0);
	assert_string_equal(t->out.data, want);
	buf_reset(&t->out);
}

static void both_formats(void **state)
{
	struct text plain = {.format = TEXT_PROMETHEUS}, open = {.format = TEXT_OPENMETRICS};
	struct text_label label = {"by", "x\ny"};

	(void)state;
	text_family(&plain, "a_total", TEXT_COUNTER, "Say \"a\\b\".");
	text_sample(&plain, "a_total", &label, 1, 3);
	assert_int_equal(text_end(&plain), 0);
	written(&plain, "# HELP a_total Say \"a\\\\b\".\n# TYPE a_total counter\na_total{by=\"x\\ny\"} 3\n");
	text_family(&open, "a_total", TEXT_COUNTER, "Say \"a\\b\".");
	text_count(&open, "a_total", "", 18446744073709551615ULL);
	text_family(&open, "b_info", TEXT_INFO, "B.");
	assert_int_equal(text_end(&open), 0);
	written(&open, "# HELP a Say \\\"a\\\\b\\\".\n# TYPE a counter\na_total 18446744073709551615\n"
		       "# HELP b B.\n# TYPE b info\n# EOF\n");
}

static void histograms_are_cumulative(void **state)
{
	static const uint64_t values[] = {1000000, 1000000000};
	const struct histogram_bounds b = {values, 2, true};
	struct sluice_histogram h = {.sum = 2500000000, .bucket = {4, 0, 1}};
	struct text plain = {.format = TEXT_PROMETHEUS}, open = {.format = TEXT_OPENMETRICS};

	(void)state;
	text_histogram(&plain, "h", &h, &b);
	written(&plain, "h_bucket{le=\"0.001\"} 4\nh_bucket{le=\"1\"} 4\nh_bucket{le=\"+Inf\"} 5\nh_sum "
			"2.5\nh_count 5\n");
	text_histogram(&open, "h", &h, &b);
	written(&open, "h_bucket{le=\"0.001\"} 4\nh_bucket{le=\"1.0\"} 4\nh_bucket{le=\"+Inf\"} 5\nh_sum "
		       "2.5\nh_count 5\n");
}

static void every_label_of_a_family_is_written(void **state)
{
	struct text t = {0};

	(void)state;
	family_sample(&t, FAMILY_TOP_PENDING, 1.5, "7", "r", "copy", "c", "h", "/p");
	written(&t, "sluice_top_stream_pending_bytes{id=\"7\",route=\"r\",lane=\"copy\",client=\"c\",host="
		    "\"h\",path=\"/p\"} 1.5\n");
}

/* A family stands once in a page, whatever its rows are. */
static void counts_have_each_family_once(void **state)
{
	static struct sluice_counters c;
	static struct sluice_totals k;
	struct text t = {0};
	char seen[128][80];
	size_t n = 0;

	(void)state;
	k.events = 77;
	c.ended[SLUICE_BY_CLIENT][0] = 5;
	counts_write(&c, &k, &t);
	assert_int_equal(t.err, 0);
	assert_int_equal(buf_append(&t.out, "", 1), 0);
	for (char *line = t.out.data; (line = strstr(line, "# TYPE ")); line++) {
		assert_true(n < ARRAY_LEN(seen));
		assert_int_equal(sscanf(line, "# TYPE %79s", seen[n]), 1);
		for (size_t i = 0; i < n; i++)
			assert_string_not_equal(seen[i], seen[n]);
		n++;
	}
	assert_true(n > 40);
	assert_non_null(strstr(t.out.data, "sluice_events_total{lane=\"splice\"} 77\n"));
	assert_non_null(
		strstr(t.out.data, "sluice_streams_ended_total{by=\"client\",phase=\"read_request\"} 5\n"));
	buf_reset(&t.out);
}

static void memory_that_runs_out_is_told(void **state)
{
	static struct sluice_counters c;
	static struct sluice_totals k;
	struct text t = {.out.max = 1000};

	(void)state;
	counts_write(&c, &k, &t);
	assert_int_equal(text_end(&t), -ENOBUFS);
	buf_reset(&t.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(any_bytes_stay_inside),
		cmocka_unit_test(negotiation),
		cmocka_unit_test(both_formats),
		cmocka_unit_test(histograms_are_cumulative),
		cmocka_unit_test(every_label_of_a_family_is_written),
		cmocka_unit_test(counts_have_each_family_once),
		cmocka_unit_test(memory_that_runs_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
