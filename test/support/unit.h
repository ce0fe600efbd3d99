/*
 * A CUnit suite per test program:
 *   int main(void) { return unit_run("jid", cases, ARRAY_SIZE(cases)); }
 */
#ifndef SUPPORT_UNIT_H
#define SUPPORT_UNIT_H

#include <CUnit/Basic.h>

#include "base/compiler.h"
#include "base/slice.h"

struct unit_case {
    const char *name;
    void (*run)(void);
};

/* Exit status of the program: 0 when all passed. */
int unit_run(const char *suite, const struct unit_case *cases, size_t count);

#define ASSERT_SLICE(actual, expected)                                         \
    CU_ASSERT_TRUE(slice_equal((actual), slice_of(expected)))

#endif
