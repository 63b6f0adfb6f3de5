/* What cmocka.h wants to have been included before it. */
#ifndef SLUICE_CTL_TEST_CMOCKA_FIRST_H
#define SLUICE_CTL_TEST_CMOCKA_FIRST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
