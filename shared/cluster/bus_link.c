#include "cluster/bus_link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BACK_OFF_FIRST_MS = 50,
    BACK_OFF_MAX_MS = 1000,
    /* Also what keeps heartbeats going: the library sends them only from
     * within its calls. */
    POLL_MS = 1000,
    WRITE_MS = 1, /* until the socket is asked again whether it has room */
    DRAIN_FRAMES = 1000,  /* then it is the turn of the letters again */
    LOG_EVERY_MS = 30000, /* of the failed attempts after the first */
};

amqp_bytes_t bus_link_bytes(struct slice slice)
{
    amqp_bytes_t bytes = {slice.size, NULL};

    memcpy(&bytes.bytes, &slice.data, sizeof(bytes.bytes));
    return bytes;
}

struct slice bus_link_slice(amqp_bytes_t bytes)
{
    return (struct slice){bytes.bytes, bytes.len};
}

const char *bus_link_close_text(unsigned code, amqp_bytes_t text, char *out,
                                size_t room)
{
    char printable[200];

    log_printable(bus_link_slice(text), printable, sizeof(printable));
    snprintf(out, room, "%u %s", code, printable);
    return out;
}

/* Reports. */

struct bus_report *bus_link_report(struct bus_link *link,
                                   enum bus_report_kind kind,
                                   struct bus_subscription *subscription)
{
    struct bus_report *report = memory_new(sizeof(*report));

    report->kind = kind;
    report->link = link;
    report->subscription = subscription;
    return report;
}

static void flush_messages(struct bus_link *link)
{
    struct bus_report *messages = link->messages;

    link->messages = NULL;
    if (messages)
        mailbox_post(link->bus->mailbox, &messages->letter);
}

void bus_link_tell(struct bus_link *link, struct bus_report **report)
{
    flush_messages(link); /* they came before */
    mailbox_post(link->bus->mailbox, &(*report)->letter);
    *report = NULL;
}

void bus_link_message(struct bus_link *link, struct bus_held *held)
{
    struct bus_report *report = link->messages;

    if (!report)
        report = link->messages =
            bus_link_report(link, BUS_REPORT_MESSAGES, NULL);
    held->next = NULL;
    if (report->messages_last)
        report->messages_last->next = held;
    else
        report->messages = held;
    report->messages_last = held;
}

void bus_link_tell_text(struct bus_link *link, enum bus_report_kind kind,
                        const char *what, const char *text)
{
    struct bus_report *report = bus_link_report(link, kind, NULL);

    report->what = memory_copy_text(slice_of(what));
    report->text = memory_copy_text(slice_of(text));
    bus_link_tell(link, &report);
}

/* Failures. */

const char *bus_link_status_text(int status)
{
    int error = errno;

    return status == AMQP_STATUS_SOCKET_ERROR && error
               ? strerror(error)
               : amqp_error_string2(status);
}

void bus_link_lose(struct bus_link *link, const char *format, ...)
{
    va_list arguments;

    if (link->lost)
        return;
    va_start(arguments, format);
    vsnprintf(link->lost_text, sizeof(link->lost_text), format, arguments);
    va_end(arguments);
    link->lost = link->lost_text;
}

void bus_link_check(struct bus_link *link, int status)
{
    if (status != AMQP_STATUS_OK)
        bus_link_lose(link, "%s", bus_link_status_text(status));
}

void bus_link_send(struct bus_link *link, unsigned channel,
                   amqp_method_number_t id, void *decoded)
{
    if (link->connection && !link->lost)
        bus_link_check(link,
                       amqp_send_method(link->connection,
                                        (amqp_channel_t)channel, id, decoded));
}

/* Closing. */

/* At once, then between half of and all of 50 ms, 100 ms ... 1 s. */
static void plan_retry(struct bus_link *link)
{
    unsigned wait = link->back_off_ms;
    unsigned random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (unsigned)clock_now_ms();
    if (wait)
        wait = wait / 2 + random % (wait / 2 + 1);
    link->retry_at_ms = clock_now_ms() + wait;
    link->back_off_ms =
        link->back_off_ms ? link->back_off_ms * 2 : BACK_OFF_FIRST_MS;
    if (link->back_off_ms > BACK_OFF_MAX_MS)
        link->back_off_ms = BACK_OFF_MAX_MS;
}

/* The first failure, when the broker begins or ceases to refuse us, and then
 * now and again. */
static bool is_news(struct bus_link *link)
{
    uint64_t now_ms = clock_now_ms();

    if (link->attempts && link->is_refused == link->was_refused &&
        now_ms < link->quiet_until_ms)
        return false;
    link->was_refused = link->is_refused;
    link->quiet_until_ms = now_ms + LOG_EVERY_MS;
    return true;
}

static void give_up(struct bus_link *link)
{
    const struct bus_config *config = &link->bus->config;
    bool was_up = link->is_logged_in;

    bus_connection_destroy(link);
    link->is_logged_in = false;
    if (was_up || is_news(link))
        log_warning("broker %s:%u: %s connection %s, trying again: %s",
                    config->host, config->port, link->handler->role,
                    was_up ? "lost" : "cannot be opened", link->lost);
    link->attempts++;
    if (was_up) {
        link->attempts = 0;
        if (clock_now_ms() - link->opened_ms > BACK_OFF_MAX_MS)
            link->back_off_ms = 0;
        link->handler->down(link->state, link->lost);
        bus_link_tell_text(link, BUS_REPORT_DOWN, NULL, link->lost);
    }
    link->lost = NULL;
    plan_retry(link);
}

static void open_connection(struct bus_link *link)
{
    if (bus_connection_open(link)) {
        link->is_logged_in = true;
        link->attempts = 0;
        link->opened_ms = clock_now_ms();
        log_info("broker: %s connection open", link->handler->role);
        link->handler->up(link->state);
    }
}

/* Frames. */

static void connection_closed(struct bus_link *link,
                              const amqp_method_t *method)
{
    amqp_connection_close_t *close = method->decoded;
    amqp_connection_close_ok_t ok = {0};
    char text[256];

    bus_link_close_text(close->reply_code, close->reply_text, text,
                        sizeof(text));
    bus_link_send(link, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    bus_link_lose(link, "closed by the broker: %s", text);
}

static void drain(struct bus_link *link)
{
    struct timeval now = {0, 0};
    amqp_frame_t frame;

    for (int i = 0; i < DRAIN_FRAMES && !link->lost; i++) {
        int status =
            amqp_simple_wait_frame_noblock(link->connection, &frame, &now);

        if (status == AMQP_STATUS_TIMEOUT)
            return;
        if (status != AMQP_STATUS_OK)
            bus_link_check(link, status);
        else if (frame.frame_type == AMQP_FRAME_METHOD &&
                 frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
            connection_closed(link, &frame.payload.method);
        else
            link->handler->frame(link->state, &frame);
        amqp_maybe_release_buffers(link->connection);
    }
}

/* The thread. */

static int poll_time(const struct bus_link *link)
{
    uint64_t now = clock_now_ms();

    if (link->connection && (amqp_frames_enqueued(link->connection) ||
                             amqp_data_in_buffer(link->connection)))
        return 0;
    if (link->connection)
        return link->must_write ? WRITE_MS : POLL_MS;
    if (link->retry_at_ms <= now)
        return 0;
    return link->retry_at_ms - now < POLL_MS ? (int)(link->retry_at_ms - now)
                                             : POLL_MS;
}

static void wait_for_work(struct bus_link *link)
{
    struct pollfd fds[2] = {
        {.fd = mailbox_fd(link->mailbox), .events = POLLIN},
        {.fd = -1, .events = POLLIN},
    };

    if (link->connection)
        fds[1].fd = link->socket;
    if (poll(fds, ARRAY_SIZE(fds), poll_time(link)) < 0 && errno != EINTR)
        log_warning("broker: poll: %s", strerror(errno));
}

static void read_letters(struct bus_link *link)
{
    struct letter *letter = mailbox_take(link->mailbox);

    while (letter) {
        struct letter *next = letter->next;

        link->handler->letter(link->state, letter);
        letter = next;
    }
}

static void step(struct bus_link *link)
{
    uint64_t now = clock_now_ms();

    if (!link->connection && now >= link->retry_at_ms)
        open_connection(link);
    if (link->connection && !link->lost)
        drain(link);
    if (link->connection && !link->lost)
        link->must_write = !link->handler->work(link->state, now);
    if (link->connection && link->lost)
        give_up(link);
    flush_messages(link);
}

static void *run(void *argument)
{
    struct bus_link *link = argument;

    while (!atomic_load(&link->is_stopping)) {
        wait_for_work(link);
        read_letters(link);
        step(link);
    }
    bus_connection_close(link);
    return NULL;
}

struct bus_link *bus_link_create(struct bus *bus,
                                 const struct bus_link_handler *handler,
                                 void *state)
{
    struct bus_link *link = memory_new(sizeof(*link));

    link->bus = bus;
    link->handler = handler;
    link->state = state;
    link->mailbox = mailbox_create();
    atomic_init(&link->is_stopping, false);
    pthread_mutex_init(&link->socket_lock, NULL);
    link->socket = -1;
    return link;
}

void bus_link_start(struct bus_link *link)
{
    sigset_t all;
    sigset_t before;
    int error;

    sigfillset(&all); /* signals are for the loop's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&link->thread, NULL, run, link);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        log_fatal(1, "cannot start a thread: %s", strerror(error));
}

void bus_link_post(struct bus_link *link, struct letter *letter)
{
    mailbox_post(link->mailbox, letter);
}

void bus_link_stop(struct bus_link *link)
{
    atomic_store(&link->is_stopping, true);
    eventfd_write(mailbox_fd(link->mailbox), 1);
}

void bus_link_cut(struct bus_link *link)
{
    pthread_mutex_lock(&link->socket_lock);
    if (link->socket >= 0)
        shutdown(link->socket, SHUT_RDWR);
    pthread_mutex_unlock(&link->socket_lock);
}

static void link_free(struct bus_link **link_at)
{
    struct bus_link *link = *link_at;

    read_letters(link);
    link->handler->discard(link->state);
    if (link->messages)
        bus_report_free(&link->messages);
    mailbox_destroy(&link->mailbox);
    pthread_mutex_destroy(&link->socket_lock);
    memory_free(link_at);
}

static struct timespec time_of_day(uint64_t deadline_ms)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t at_ms = clock_unix_ms();

    if (deadline_ms > now_ms)
        at_ms += deadline_ms - now_ms;
    return (struct timespec){(time_t)(at_ms / 1000),
                             (long)(at_ms % 1000) * 1000000};
}

void bus_link_join(struct bus_link **link, uint64_t deadline_ms)
{
    struct timespec deadline = time_of_day(deadline_ms);

    if (pthread_timedjoin_np((*link)->thread, NULL, &deadline) == 0)
        link_free(link);
}
