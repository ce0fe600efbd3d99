/* The SQLite file of a store, looked at and changed behind the store's back. */
#ifndef SUPPORT_DATABASE_H
#define SUPPORT_DATABASE_H

#include "unit.h"

#include <sqlite3.h>
#include <stdio.h>

/* Made if there is none; to be closed with sqlite3_close. */
static inline sqlite3 *database_open(const char *path)
{
    sqlite3 *file = NULL;

    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &file), SQLITE_OK);
    return file;
}

static inline void database_execute(const char *path, const char *sql)
{
    sqlite3 *file = database_open(path);
    char *error = NULL;

    if (sqlite3_exec(file, sql, NULL, NULL, &error) != SQLITE_OK)
        printf("\n    %s: %s\n", sql, error);
    CU_ASSERT_PTR_NULL(error);
    sqlite3_free(error);
    sqlite3_close(file);
}

/* The number that a query gives; -1 if it gives none. */
static inline int database_ask(const char *path, const char *sql)
{
    sqlite3 *file = database_open(path);
    sqlite3_stmt *statement = NULL;
    int number = -1;

    CU_ASSERT_EQUAL_FATAL(sqlite3_prepare_v2(file, sql, -1, &statement, NULL),
                          SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(file);
    return number;
}

#endif
