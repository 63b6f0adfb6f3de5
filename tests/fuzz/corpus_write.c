/* Writes the rows of tests/unit/h1_cases.h as seed files: fuzz_h1 gets whole messages, fuzz_chunk the bodies
 * of those that are chunked. Run it again when the tables change, from the root of the tree:
 *   gcc -D_GNU_SOURCE -Iuser -Itests/unit -o /tmp/corpus_write tests/fuzz/corpus_write.c user/proto/chunk.c \
 *       user/proto/h1_*.c user/base/buf.c && /tmp/corpus_write tests/fuzz/corpus */
#include "h1_cases.h"
#include <ctype.h>
#include <err.h>
#include <stdio.h>

/* libFuzzer grows its inputs up to the largest seed; what is longer stays with the unit tests. */
#define SEED_MAX (128 * 1024)

static void write_file(
	const char *dir, const char *target, const char *kind, const char *name, struct slice bytes)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/%s/%s-", dir, target, kind);
	FILE *f;

	for (; *name && n < (int)sizeof(path) - 4; name++) {
		if (isalnum((unsigned char)*name) || *name == '.' || *name == '-')
			path[n++] = *name;
		else if (*name == ' ')
			path[n++] = '_';
		else /* so that "[ in a name" and "] in a name" are two files */
			n += sprintf(path + n, "x%02x", (unsigned char)*name);
	}
	path[n] = 0;
	f = fopen(path, "wb");
	if (!f || fwrite(bytes.p, 1, bytes.n, f) != bytes.n || fclose(f))
		err(1, "%s", path);
}

static void write_cases(const char *dir, const char *kind, const struct h1_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slice bytes = h1_case_bytes(&cases[i]);
		const char *body = memmem(bytes.p, bytes.n, "chunked\r\n\r\n", 11);

		if (bytes.n > SEED_MAX) {
			printf("left out, %zu bytes: %s\n", bytes.n, cases[i].name);
		} else {
			write_file(dir, "fuzz_h1", kind, cases[i].name, bytes);
			if (body)
				write_file(dir, "fuzz_chunk", kind, cases[i].name,
					(struct slice){body + 11, (size_t)(bytes.p + bytes.n - body - 11)});
		}
		free((char *)bytes.p);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: corpus_write tests/fuzz/corpus");
	write_cases(argv[1], "request", h1_request_cases, ARRAY_LEN(h1_request_cases));
	write_cases(argv[1], "response", h1_response_cases, ARRAY_LEN(h1_response_cases));
	return 0;
}
