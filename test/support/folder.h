/* A new empty folder for a test's files, and its end. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLDER_PATH_BYTES = 512 };

/* What mkdtemp replaces. */
#define FOLDER_RANDOM                                                          \
    "XX"                                                                       \
    "XX"                                                                       \
    "XX"

struct folder {
    char path[FOLDER_PATH_BYTES / 4];
};

static inline void folder_open(struct folder *folder)
{
    const char *parent = getenv("TMPDIR");

    snprintf(folder->path, sizeof(folder->path), "%s/ocean-unit-%s",
             parent ? parent : "/tmp", FOLDER_RANDOM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder->path));
}

/* "<prefix><folder>/<name>" in out (FOLDER_PATH_BYTES). */
static inline const char *folder_path(const struct folder *folder,
                                      const char *prefix, const char *name,
                                      char *out)
{
    snprintf(out, FOLDER_PATH_BYTES, "%s%s/%s", prefix, folder->path, name);
    return out;
}

/* With the files in it; it must have no folders. */
static inline void folder_close(struct folder *folder)
{
    DIR *open = opendir(folder->path);
    struct dirent *entry;
    char path[FOLDER_PATH_BYTES];

    while (open && (entry = readdir(open))) {
        if (entry->d_name[0] != '.')
            unlink(folder_path(folder, "", entry->d_name, path));
    }
    if (open)
        closedir(open);
    CU_ASSERT_EQUAL(rmdir(folder->path), 0);
}

#endif
