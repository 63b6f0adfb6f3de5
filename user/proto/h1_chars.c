#include "proto/h1_chars.h"

/* Constant expressions only: the compiler lays out the table. */
#define DIGIT(c) ((c) >= '0' && (c) <= '9')
#define UPPER(c) ((c) >= 'A' && (c) <= 'Z')
#define ALNUM(c) (DIGIT(c) || UPPER(c) || ((c) >= 'a' && (c) <= 'z'))
#define TOKEN_MARK(c)                                                                                        \
	((c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' || (c) == '&' || (c) == '\'' || (c) == '*' ||  \
		(c) == '+' || (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' ||          \
		(c) == '|' || (c) == '~')
#define TARGET(c)                                                                                            \
	((c) > ' ' && (c) < 0x7f && (c) != '"' && (c) != '#' && (c) != '<' && (c) != '>' && (c) != '\\')
#define HOST(c) (ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define TEXT(c) ((c) == '\t' || ((c) >= ' ' && (c) != 0x7f))

#define CLASS(c)                                                                                             \
	((ALNUM(c) || TOKEN_MARK(c) ? H1_C_TOKEN : 0) |                                                      \
		(UPPER(c) || (c) == '-' || (c) == '_' ? H1_C_METHOD : 0) | (TARGET(c) ? H1_C_TARGET : 0) |   \
		(HOST(c) ? H1_C_HOST : 0) | (TEXT(c) ? H1_C_TEXT : 0) | (DIGIT(c) ? H1_C_DIGIT : 0))
#define CLASS4(c)  CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS16(c) CLASS4(c), CLASS4((c) + 4), CLASS4((c) + 8), CLASS4((c) + 12)
#define CLASS64(c) CLASS16(c), CLASS16((c) + 16), CLASS16((c) + 32), CLASS16((c) + 48)

const uint8_t h1_chars[256] = {CLASS64(0), CLASS64(64), CLASS64(128), CLASS64(192)};
