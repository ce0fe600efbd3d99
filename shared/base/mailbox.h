/*
 * A queue between threads with an eventfd to wait on.  Letters are embedded
 * in what they carry and belong to whoever holds them; posting transfers.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stddef.h>

struct letter {
    struct letter *next;
};

#define LETTER_OWNER(letter, type, member)                                     \
    ((type *)(void *)((char *)(letter)-offsetof(type, member)))

struct mailbox;

struct mailbox *mailbox_create(void);
/* Readable while letters wait. */
int mailbox_fd(const struct mailbox *mailbox);
/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);
/* All that wait, oldest first (NULL when none); clears the eventfd. */
struct letter *mailbox_take(struct mailbox *mailbox);
void mailbox_destroy(struct mailbox **mailbox); /* must be empty */

#endif
