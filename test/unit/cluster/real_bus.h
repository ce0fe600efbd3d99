/* Includes of the bus's own tests.  The fake bus linked with every test is
 * weak; naming a private function makes the linker take the real one. */
#ifndef CLUSTER_REAL_BUS_H
#define CLUSTER_REAL_BUS_H

#include "base/memory.h"
#include "cluster/bus_private.h"
#include "unit.h"

__attribute__((used)) static void (*const take_the_real_bus)(struct bus *) =
    bus_turn_due;

#endif
