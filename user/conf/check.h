/* Every mistake in a document, with its line. check: what the schema knows (keys, shapes, values,
 * duplicates). cross: what one value means for another. Both go over the whole document, however much is
 * wrong. */
#ifndef SLUICE_CONF_CHECK_H
#define SLUICE_CONF_CHECK_H

#include "conf/document.h"

/* Where the walk stands: "routes[2].timeouts.idle". */
struct place {
	char text[128];
	size_t n;
};

void place_key(struct place *p, struct slice key);
void place_index(struct place *p, size_t i);
/* Back to where `n` stood before. */
void place_back(struct place *p, size_t n);

void check_document(struct document *d, struct mistakes *m);
void cross_check(struct document *d, struct mistakes *m);
/* The routes' part of cross_check. */
void cross_check_routes(struct document *d, struct mistakes *m);

/* The key of `s` that was probably meant; NULL when none is near. */
const char *suggest_key(const struct section *s, struct slice wrong);

#endif
