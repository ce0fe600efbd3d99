/*
 * The archive: messages for users with no available session, stored and
 * replayed; which accounts exist; the register of inboxes.
 */
#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include "cluster/service.h"
#include "store.h"

struct archive_config {
    char *store;     /* URL */
    int synchronous; /* enum store_synchronous */
    uint64_t max_offline;
    uint64_t page;
};

/* State of one partition. */
struct archive {
    const struct archive_config *config;
    struct store *store;
    bool is_fenced; /* in this transaction */
};

extern const struct service_handler archive_handlers[];
extern const size_t archive_handler_count;

#endif
