/* An assertion about one case of a table, which says which case it was. */
#ifndef UNIT_XMPP_TABLE_H
#define UNIT_XMPP_TABLE_H

#include "unit.h"

#include <stdio.h>

#define ASSERT_CASE(name, claim)                                               \
    do {                                                                       \
        bool holds = (claim);                                                  \
        if (!holds)                                                            \
            fprintf(stderr, "case \"%s\": %s\n", (name), #claim);              \
        CU_ASSERT_TRUE(holds);                                                 \
    } while (0)

#endif
