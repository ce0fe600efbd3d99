/*
 * One connection to the broker and the thread that keeps it: opens it, again
 * and again, reads its frames, and lets its handler do the rest.  Everything
 * but bus_link_create, bus_link_start, bus_link_post, bus_link_stop,
 * bus_link_cut and bus_link_join runs on the thread.
 */
#ifndef CLUSTER_BUS_LINK_H
#define CLUSTER_BUS_LINK_H

#include "cluster/bus_private.h"

#include <amqp.h>
#include <amqp_framing.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
    /* A broker that has just started or is busy answers late; to give it up
     * too soon only adds to its work. */
    LINK_ANSWER_MS = 15000,
    LINK_REFUSED_MS = 1000,
};

struct bus_link_handler {
    const char *role; /* "pub", "sub" */
    void (*letter)(void *state, struct letter *letter);
    void (*up)(void *state); /* logged in */
    void (*down)(void *state, const char *reason);
    void (*frame)(void *state, const amqp_frame_t *frame);
    /* Once per turn of the thread: send, look at deadlines.  Returns false
     * when what waits cannot be written now. */
    bool (*work)(void *state, uint64_t now_ms);
    void (*discard)(void *state); /* at the end: frees what is left */
};

struct bus_link {
    struct bus *bus;
    const struct bus_link_handler *handler;
    void *state;             /* of the handler */
    struct mailbox *mailbox; /* loop to thread */
    pthread_t thread;
    atomic_bool is_stopping;
    pthread_mutex_t socket_lock;
    int socket; /* -1: none.  Under the lock: bus_link_cut uses it as well */
    /* Thread. */
    amqp_connection_state_t connection; /* NULL: none */
    const char *lost;                   /* why, once it is to be given up */
    char lost_text[512];
    bool is_refused;  /* by the broker, at this attempt */
    bool was_refused; /* when it was last logged */
    uint64_t quiet_until_ms;
    uint64_t retry_at_ms;
    unsigned attempts; /* failed, since it was last up */
    uint64_t opened_ms;
    unsigned back_off_ms; /* 0: at once */
    bool is_logged_in;
    bool must_write;             /* something waits for room in the socket */
    struct bus_report *messages; /* gathered, see bus_link_message */
};

struct bus_link *bus_link_create(struct bus *bus,
                                 const struct bus_link_handler *handler,
                                 void *state);
void bus_link_start(struct bus_link *link);
void bus_link_post(struct bus_link *link, struct letter *letter);
/* Asks the thread to end. */
void bus_link_stop(struct bus_link *link);
/* Whatever it is waiting for: the connection is gone. */
void bus_link_cut(struct bus_link *link);
/* Joins the thread and frees the link, unless it does not end in time. */
void bus_link_join(struct bus_link **link, uint64_t deadline_ms);

/* Gives the connection up at the end of this step.  Only the first reason
 * counts. */
void bus_link_lose(struct bus_link *link, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* Sends one method; a failure loses the link. */
void bus_link_send(struct bus_link *link, unsigned channel,
                   amqp_method_number_t id, void *decoded);
/* A result of the library; anything but AMQP_STATUS_OK loses the link. */
void bus_link_check(struct bus_link *link, int status);

/* What a result of the library means; of a failed system call, which has left
 * its errno, what the system says.  To be asked at once. */
const char *bus_link_status_text(int status);

/* bus_socket.c: connects, in so many milliseconds; false: link->lost says
 * why. */
bool bus_socket_open(struct bus_link *link, unsigned limit_ms) WARN_UNUSED;
void bus_socket_set(struct bus_link *link, int socket);

/* bus_connection.c: opens the socket and logs in (blocking, bounded); false:
 * link->lost says why. */
bool bus_connection_open(struct bus_link *link) WARN_UNUSED;
void bus_connection_close(struct bus_link *link); /* in order; bounded */
void bus_connection_destroy(struct bus_link *link);

/* Is there room for `size` more bytes without blocking? */
bool bus_link_has_room(const struct bus_link *link, size_t size);

struct bus_report *bus_link_report(struct bus_link *link,
                                   enum bus_report_kind kind,
                                   struct bus_subscription *subscription);
void bus_link_tell(struct bus_link *link, struct bus_report **report);
/* The same with texts, copied; `what` may be NULL. */
void bus_link_tell_text(struct bus_link *link, enum bus_report_kind kind,
                        const char *what, const char *text);
/* Gathers a message until the end of the drain. */
void bus_link_message(struct bus_link *link, struct bus_held *held);

amqp_bytes_t bus_link_bytes(struct slice slice);
struct slice bus_link_slice(amqp_bytes_t bytes);
/* "404 NOT_FOUND - no queue ..." made printable. */
const char *bus_link_close_text(unsigned code, amqp_bytes_t text, char *out,
                                size_t room);

/* The two handlers' life. */
struct bus_link *bus_publisher_create(struct bus *bus);
struct bus_link *bus_consumer_create(struct bus *bus);

#endif
