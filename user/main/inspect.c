/* What the admin socket tells of the daemon itself: the settings in force, limits that are no settings, and
 * how the splice lane came up. */
#include "conf/show.h"
#include "main/master_state.h"
#include "proto/h1.h"
#include "stream/env.h"
#include <sys/resource.h>

json_t *inspect_settings(void *arg)
{
	const struct master *m = arg;
	struct rlimit fds = {0};
	json_t *o = settings_show(m->settings);

	getrlimit(RLIMIT_NOFILE, &fds);
	/* Of each worker, which inherits the master's. */
	json_object_set_new(o, "fds",
		json_pack("{s:I,s:i,s:i}", "limit", (json_int_t)fds.rlim_cur, "kept_from_clients",
			FD_RESERVE_CLIENTS, "kept_from_upstreams", FD_RESERVE_UPSTREAMS));
	json_object_set_new(o, "http1",
		json_pack("{s:i,s:i,s:i}", "head_bytes", H1_MAX_HEAD, "request_line_bytes", H1_MAX_LINE,
			"fields", H1_MAX_FIELDS));
	json_object_set_new(o, "config", m->config ? json_string(m->config) : json_null());
	return o;
}

json_t *inspect_lanes(void *arg)
{
	const struct master *m = arg;
	json_t *cases = json_array();

	for (size_t i = 0; i < m->selftest.count; i++) {
		const struct selftest_case *c = &m->selftest.cases[i];

		json_array_append_new(cases, json_pack("{s:s,s:b,s:i,s:s}", "name", c->name, "ok", (int)c->ok,
						     "us", (int)c->us, "reason", c->reason));
	}
	return json_pack("{s:b,s:s,s:i,s:b,s:o}", "splice", m->splice != NULL, "why", m->splice_why,
		"selftest_us", (int)m->selftest.us, "selftest_ok", (int)m->selftest.ok, "selftest", cases);
}
