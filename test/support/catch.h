/* Catches what a test prints and logs. */
#ifndef SUPPORT_CATCH_H
#define SUPPORT_CATCH_H

#include "base/buffer.h"
#include "unit.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct catch
{
    int file;
    int before[2];
};

static inline void catch_begin(struct catch *catch)
{
    fflush(stdout);
    catch->file = memfd_create("caught", MFD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        catch->before[i] = dup(i + 1);
        CU_ASSERT_TRUE_FATAL(dup2(catch->file, i + 1) >= 0);
    }
}

/* Appends what was printed since. */
static inline void catch_end(struct catch *catch, struct buffer *out)
{
    char text[4096];
    ssize_t size;

    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE_FATAL(dup2(catch->before[i], i + 1) >= 0);
        close(catch->before[i]);
    }
    lseek(catch->file, 0, SEEK_SET);
    while ((size = read(catch->file, text, sizeof(text))) > 0)
        buffer_append(out, (struct slice){text, (size_t)size});
    close(catch->file);
}

#endif
