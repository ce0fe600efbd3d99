#include "base/mailbox.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

struct mailbox {
    pthread_mutex_t mutex;
    struct letter *first, **last;
    int fd;
};

struct mailbox *mailbox_create(void)
{
    struct mailbox *mailbox = memory_new(sizeof(*mailbox));

    pthread_mutex_init(&mailbox->mutex, NULL);
    mailbox->last = &mailbox->first;
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    BUG_ON(mailbox->fd < 0);
    return mailbox;
}

int mailbox_fd(const struct mailbox *mailbox)
{
    return mailbox->fd;
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    uint64_t one = 1;
    bool was_empty;

    letter->next = NULL;
    pthread_mutex_lock(&mailbox->mutex);
    was_empty = !mailbox->first;
    *mailbox->last = letter;
    mailbox->last = &letter->next;
    pthread_mutex_unlock(&mailbox->mutex);
    if (was_empty)
        BUG_ON(write(mailbox->fd, &one, sizeof(one)) != sizeof(one));
}

struct letter *mailbox_take(struct mailbox *mailbox)
{
    uint64_t count;
    struct letter *first;
    /* Before looking, so that a letter posted meanwhile wakes us again. */
    ssize_t got = read(mailbox->fd, &count, sizeof(count));

    (void)got;
    pthread_mutex_lock(&mailbox->mutex);
    first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->mutex);
    return first;
}

void mailbox_destroy(struct mailbox **mailbox)
{
    if (!*mailbox)
        return;
    BUG_ON((*mailbox)->first);
    close((*mailbox)->fd);
    pthread_mutex_destroy(&(*mailbox)->mutex);
    memory_free(mailbox);
}
