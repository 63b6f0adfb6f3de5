#include "status/status.h"

/* The page stays a file that a browser, an editor and a linter can open; the assembler puts it into the
 * program. The path is seen from the tree's root, where make runs. */
__asm__(".pushsection .rodata\n"
	"status_page_begin: .incbin \"user/status/page.html\"\n"
	"status_page_end:\n"
	".popsection\n");

extern const char status_page_begin[], status_page_end[];

int page_make(const char *nonce, struct buf *out)
{
	static const char place[] = "@NONCE@";
	const char *at = status_page_begin, *next;
	int err = 0;

	while (!err && (next = memmem(at, (size_t)(status_page_end - at), place, sizeof(place) - 1))) {
		err = buf_append(out, at, (size_t)(next - at));
		err = err ? err : buf_append(out, nonce, strlen(nonce));
		at = next + sizeof(place) - 1;
	}
	return err ? err : buf_append(out, at, (size_t)(status_page_end - at));
}
