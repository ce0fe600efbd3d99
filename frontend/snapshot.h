/* Answering services that ask who is here (DESIGN 2). */
#ifndef FRONTEND_SNAPSHOT_H
#define FRONTEND_SNAPSHOT_H

#include "frontend.h"

enum { SNAPSHOT_ALL_PARTITIONS = 0xffff };

void snapshot_answer(struct frontend *frontend, const struct event *ask);

#endif
