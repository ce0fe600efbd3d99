/* What main() hands to the daemon skeleton. */
#ifndef FRONTEND_START_H
#define FRONTEND_START_H

#include "frontend.h"
#include "keys.h"

void frontend_init(struct frontend *frontend);
void frontend_deinit(struct frontend *frontend);
void frontend_on_node_event(void *owner, const struct event *event);
void frontend_on_pressure(void *owner, struct bus_destination *destination,
                          bool is_high);
void frontend_on_tick(void *owner, uint64_t now_ms);
void frontend_on_drain(void *owner);

#endif
