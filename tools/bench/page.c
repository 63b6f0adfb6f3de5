#include "origin.h"

/* The page stays a file that a browser, an editor and a linter can open; the assembler puts it into the
 * program. The path is seen from the tree's root, where make runs. */
__asm__(".pushsection .rodata\n"
	"page_html_begin: .incbin \"tools/bench/page.html\"\n"
	"page_html_end:\n"
	".popsection\n");

extern const char page_html_begin[], page_html_end[];

struct slice page_html(void)
{
	return (struct slice){page_html_begin, (size_t)(page_html_end - page_html_begin)};
}
