/* Heads of HTTP/2 requests, one row each, named after their row in table E of the bad inputs. Fields are
 * written "name\1value", with \2 between them. Read by the unit tests and by the corpus writer. */
#ifndef SLUICE_TESTS_H2_CASES_H
#define SLUICE_TESTS_H2_CASES_H

#include "proto/h1.h"

struct h2_case {
	const char *name;
	struct slice list;
	bool end;	   /* HEADERS with END_STREAM */
	enum h1_rule rule; /* that is broken; H1_OK: the request is served */
};

#define H2_GET	":method\1GET\2:scheme\1https\2:authority\1a.example\2:path\1/"
#define H2_POST ":method\1POST\2:scheme\1https\2:authority\1a.example\2:path\1/up"
#define H2_CASE(name, lit, rule)                                                                             \
	{                                                                                                    \
		name, {lit, sizeof(lit) - 1}, true, rule                                                     \
	}
#define H2_CASE_OPEN(name, lit, rule)                                                                        \
	{                                                                                                    \
		name, {lit, sizeof(lit) - 1}, false, rule                                                    \
	}

static const struct h2_case h2_cases[] = {
#include "h2_cases.def"
};

#endif
