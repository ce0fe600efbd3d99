/* The store of one roster partition in a folder of its own, in a transaction.
 */
#ifndef UNIT_ROSTER_STORING_H
#define UNIT_ROSTER_STORING_H

#include "../../../roster/store.h"
#include "folder.h"

#define ANN "ann@x"

enum { PARTITION = 3 };

static struct folder folder;
static char url[FOLDER_PATH_BYTES];
static struct store *store;
static struct arena arena; /* of what is read from it */

static inline struct store *open_partition(unsigned partition)
{
    struct store_error error;
    struct store *opened = store_open(url, partition, false, &error);

    CU_ASSERT_PTR_NOT_NULL_FATAL(opened);
    return opened;
}

static inline void begin(void)
{
    CU_ASSERT_TRUE_FATAL(store_begin(store));
}

static inline void commit(void)
{
    CU_ASSERT_TRUE_FATAL(store_commit(store));
}

static inline void open_folder(void)
{
    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
}

/* What is in the folder already stays. */
static inline void open_store_there(void)
{
    arena_init(&arena);
    store = open_partition(PARTITION);
    begin();
}

static inline void open_store(void)
{
    open_folder();
    open_store_there();
}

static inline void close_store(void)
{
    commit();
    store_close(&store);
    arena_deinit(&arena);
    folder_close(&folder);
}

#endif
