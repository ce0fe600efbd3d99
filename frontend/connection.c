#include "connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "sasl.h"
#include "session.h"
#include "tls.h"

static void on_readable(void *argument);
static void on_writable(void *argument);

struct connection *connection_create(struct frontend *frontend, int fd,
                                     const char *address)
{
    struct connection *connection = memory_new(sizeof(*connection));

    connection->frontend = frontend;
    connection->fd = fd;
    connection->address = memory_copy_text(slice_of(address));
    connection->active_ms = clock_now_ms();
    connection->deadline_ms =
        connection->active_ms + frontend->config.login_timeout;
    framing_init(&connection->framing,
                 (uint32_t)frontend->config.max_stanza_bytes_unauthenticated);
    connection->watch = watch_create(daemon_loop(frontend->daemon), fd,
                                     on_readable, on_writable, connection);
    watch_readable(connection->watch, true);
    TAILQ_INSERT_TAIL(&frontend->connections, connection, all);
    frontend->connection_count++;
    return connection;
}

static void connection_free(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;

    TAILQ_REMOVE(&frontend->connections, connection, all);
    if (connection->is_dirty)
        TAILQ_REMOVE(&frontend->dirty, connection, dirty_entry);
    frontend_answered(frontend, connection->request);
    login_destroy(&connection->login);
    watch_destroy(&connection->watch);
    tls_destroy(&connection->tls);
    close(connection->fd);
    buffer_deinit(&connection->input);
    buffer_deinit(&connection->output);
    memory_free(&connection->address);
    memory_free(&connection->user);
    memory_free(&connection->declarations);
    memory_free(&connection->bind_id);
    frontend->connection_count--;
    memory_free(&connection);
    listener_start(frontend);
}

/* Output. */

struct buffer *connection_output(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;

    if (!connection->is_dirty) {
        connection->is_dirty = true;
        TAILQ_INSERT_TAIL(&frontend->dirty, connection, dirty_entry);
        loop_timer_start(frontend->end_of_turn, 0);
    }
    return &connection->output;
}

void connection_write(struct connection *connection, struct slice bytes)
{
    buffer_append(connection_output(connection), bytes);
}

/* Bytes taken; 0: none now; -1: the connection is broken. */
static ssize_t send_some(struct connection *connection)
{
    ssize_t sent;

    if (connection->tls)
        return tls_write(connection->tls, buffer_slice(&connection->output));
    sent = send(connection->fd, connection->output.data,
                connection->output.size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return sent;
}

void connection_flush(struct connection *connection)
{
    while (connection->output.size) {
        ssize_t sent = send_some(connection);

        if (sent < 0) {
            buffer_deinit(&connection->output);
            stream_lost(connection);
            return;
        }
        if (sent == 0)
            break;
        buffer_consume(&connection->output, (size_t)sent);
    }
    if (!connection->output.size)
        buffer_deinit(&connection->output);
    watch_writable(connection->watch, connection->output.size > 0);
}

static void on_writable(void *argument)
{
    connection_flush(argument);
}

void connection_close(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;

    connection->state = STREAM_STATE_CLOSED;
    if (connection->is_doomed)
        return;
    connection->is_doomed = true;
    watch_readable(connection->watch, false);
    TAILQ_INSERT_TAIL(&frontend->doomed, connection, doomed_entry);
    loop_timer_start(frontend->end_of_turn, 0);
}

static void flush_dirty(struct frontend *frontend)
{
    struct connection *connection;

    while ((connection = TAILQ_FIRST(&frontend->dirty))) {
        TAILQ_REMOVE(&frontend->dirty, connection, dirty_entry);
        connection->is_dirty = false;
        connection_flush(connection);
        if (connection->output.size > frontend->config.max_output_bytes &&
            connection->state != STREAM_STATE_CLOSED) {
            log_warning("connection %s: takes its output too slowly",
                        connection->address);
            stream_fail(connection, STREAM_ERROR_RESOURCE_CONSTRAINT);
        }
    }
}

void connections_end_turn(struct frontend *frontend)
{
    struct connection *connection;

    frontend_publish(frontend);
    flush_dirty(frontend);
    while ((connection = TAILQ_FIRST(&frontend->doomed))) {
        TAILQ_REMOVE(&frontend->doomed, connection, doomed_entry);
        if (connection->tls)
            tls_shutdown(connection->tls);
        shutdown(connection->fd, SHUT_WR);
        connection_free(connection);
    }
    frontend_publish(frontend);
}

/* Input. */

static bool may_process(const struct connection *connection)
{
    return connection->state != STREAM_STATE_CLOSED &&
           !connection->is_waiting && !connection->is_parked &&
           !connection->is_throttled;
}

static void update_reading(struct connection *connection)
{
    if (connection->state != STREAM_STATE_CLOSED)
        watch_readable(connection->watch, may_process(connection));
}

/* Handles units at the front of `bytes`; returns how many bytes they had. */
static size_t process(struct connection *connection, struct slice bytes)
{
    size_t done = 0;

    while (may_process(connection)) {
        struct slice rest = {bytes.data + done, bytes.size - done};
        struct framing before = connection->framing;
        enum stream_error error = STREAM_ERROR_NONE;
        size_t size = 0;
        enum framing_unit unit =
            framing_next(&connection->framing, rest, &size, &error);

        if (unit == FRAMING_NEED_MORE)
            break;
        if (unit == FRAMING_ERROR) {
            stream_fail(connection, error);
            break;
        }
        rest.size = size;
        if (stream_unit(connection, unit, rest) == STREAM_PARK) {
            connection->framing = before;
            connection->is_parked = true;
            break;
        }
        done += size;
        if (connection->tls && !connection->has_restarted_for_tls) {
            /* RFC 6120 5.4.3.3: nothing sent in the clear counts now. */
            connection->has_restarted_for_tls = true;
            return bytes.size;
        }
    }
    return done;
}

static void keep_rest(struct connection *connection, struct slice bytes)
{
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    if (bytes.size)
        buffer_append(&connection->input, bytes);
}

static void take_input(struct connection *connection, struct slice bytes)
{
    size_t done;

    connection->is_processing = true;
    if (connection->input.size) {
        buffer_append(&connection->input, bytes);
        done = process(connection, buffer_slice(&connection->input));
        buffer_consume(&connection->input, done);
    } else {
        done = process(connection, bytes);
        keep_rest(connection,
                  (struct slice){bytes.data + done, bytes.size - done});
    }
    if (!connection->input.size)
        buffer_deinit(&connection->input);
    connection->is_processing = false;
    update_reading(connection);
}

void connection_resume(struct connection *connection)
{
    connection->is_waiting = false;
    connection->is_parked = false;
    if (connection->is_processing || connection->state == STREAM_STATE_CLOSED)
        return;
    take_input(connection, SLICE(""));
    if (connection->tls && may_process(connection))
        on_readable(connection); /* what OpenSSL has read already */
}

/* Bytes read; 0: none now; -1: the peer has closed or broken it. */
static ssize_t receive_some(struct connection *connection)
{
    char *scratch = connection->frontend->scratch;
    ssize_t got;

    if (connection->tls)
        return tls_read(connection->tls, scratch, SCRATCH_BYTES);
    got = recv(connection->fd, scratch, SCRATCH_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return got > 0 ? got : -1;
}

static void count_bytes(struct connection *connection, size_t bytes)
{
    uint64_t limit = connection->frontend->config.bytes_per_second;

    connection->active_ms = clock_now_ms();
    connection->bytes_this_second += (uint32_t)bytes;
    if (limit && connection->bytes_this_second > limit)
        connection->is_throttled = true;
}

static void on_readable(void *argument)
{
    struct connection *connection = argument;
    ssize_t got;

    do {
        got = receive_some(connection);
        if (got < 0) {
            stream_lost(connection);
            return;
        }
        if (got == 0)
            break;
        take_input(connection,
                   (struct slice){connection->frontend->scratch, (size_t)got});
        count_bytes(connection, (size_t)got);
    } while (connection->tls && may_process(connection));
    update_reading(connection);
    loop_timer_start(connection->frontend->end_of_turn, 0);
}

void connection_tick(struct connection *connection, uint64_t now_ms)
{
    connection->bytes_this_second = 0;
    if (connection->is_throttled) {
        connection->is_throttled = false;
        connection_resume(connection);
    }
    stream_tick(connection, now_ms);
}
