#include "connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ended.h"
#include "login.h"
#include "peer.h"
#include "resume.h"
#include "stream.h"
#include "tls.h"

enum {
    LEAVING_MS = 2000, /* for the last bytes, and the client's end */
    READ_MIN = 512,
    PEER_CHECKS = 4, /* in a peer_timeout */
};

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
    connection->checked_ms = connection->active_ms;
    connection->login_deadline_ms =
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

static void free_texts(struct connection *connection)
{
    buffer_deinit(&connection->input);
    buffer_deinit(&connection->output);
    memory_free(&connection->address);
    memory_free(&connection->user);
    memory_free(&connection->declarations);
    memory_free(&connection->lang);
    memory_free(&connection->bind_id);
}

static void connection_free(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;

    BUG_ON(connection->session);
    TAILQ_REMOVE(&frontend->connections, connection, all);
    if (connection->is_dirty)
        TAILQ_REMOVE(&frontend->dirty, connection, dirty_entry);
    frontend_answered(frontend, connection->request);
    login_destroy(&connection->login);
    resume_cancel(connection);
    watch_destroy(&connection->watch);
    tls_destroy(&connection->tls);
    close(connection->fd);
    free_texts(connection);
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

/* The peer sees the end; its own is awaited, so that what it still sends does
 * not make the kernel throw away our last words. */
static void say_goodbye(struct connection *connection)
{
    if (connection->tls)
        tls_shutdown(connection->tls);
    shutdown(connection->fd, SHUT_WR);
    watch_readable(connection->watch, true);
}

bool connection_is_mute(const struct connection *connection)
{
    return connection->tls && !tls_is_established(connection->tls);
}

void connection_flush(struct connection *connection)
{
    if (connection->is_broken || connection_is_mute(connection))
        buffer_deinit(&connection->output);
    while (connection->output.size) {
        ssize_t sent = send_some(connection);

        if (sent < 0) {
            stream_lost(connection, "connection lost");
            return;
        }
        if (sent == 0)
            break;
        buffer_consume(&connection->output, (size_t)sent);
    }
    watch_writable(connection->watch, connection->output.size > 0);
    if (connection->output.size)
        return;
    buffer_deinit(&connection->output);
    if (connection->is_leaving)
        say_goodbye(connection);
}

static void on_writable(void *argument)
{
    struct connection *connection = argument;

    if (connection->output.size)
        connection_flush(connection);
    else if (connection->tls) /* it was the handshake that had to write */
        on_readable(connection);
}

/* Ending. */

static void doom(struct connection *connection)
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

void connection_close(struct connection *connection)
{
    if (!connection->is_leaving)
        doom(connection);
}

void connection_drop(struct connection *connection)
{
    connection->is_broken = true;
    doom(connection);
}

static void leave(struct connection *connection)
{
    connection->is_leaving = true;
    connection->close_deadline_ms = clock_now_ms() + LEAVING_MS;
    buffer_deinit(&connection->input);
    if (!connection->output.size)
        say_goodbye(connection);
}

static void go_on(struct connection *connection);

static void go_on_if_answered(struct connection *connection)
{
    if (!connection->has_answer)
        return;
    connection->has_answer = false;
    go_on(connection);
}

static void end_slow(struct connection *connection)
{
    static const char reason[] = "takes its output too slowly";

    if (connection->session && acks_is_resumable(connection->session))
        stream_part(connection, STREAM_ERROR_RESOURCE_CONSTRAINT, reason);
    else
        stream_fail(connection, STREAM_ERROR_RESOURCE_CONSTRAINT, reason);
}

void connection_grant_output(struct connection *connection)
{
    connection->output_granted = connection->output.size;
}

static bool is_slow(struct connection *connection)
{
    uint64_t limit = connection->frontend->config.max_output_bytes;

    if (connection->output_granted > connection->output.size)
        connection->output_granted = connection->output.size;
    return connection->output.size > limit + connection->output_granted &&
           connection->state != STREAM_STATE_CLOSED;
}

static void flush_dirty(struct frontend *frontend)
{
    struct connection *connection;

    while ((connection = TAILQ_FIRST(&frontend->dirty))) {
        TAILQ_REMOVE(&frontend->dirty, connection, dirty_entry);
        connection->is_dirty = false;
        go_on_if_answered(connection);
        acks_request(connection);
        connection_flush(connection);
        if (is_slow(connection))
            end_slow(connection);
    }
}

static void bury_doomed(struct frontend *frontend)
{
    struct connection *connection;

    while ((connection = TAILQ_FIRST(&frontend->doomed))) {
        TAILQ_REMOVE(&frontend->doomed, connection, doomed_entry);
        connection->is_doomed = false;
        if (connection->is_broken)
            connection_free(connection);
        else
            leave(connection);
    }
}

void connections_end_turn(struct frontend *frontend)
{
    flush_dirty(frontend);
    bury_doomed(frontend);
    frontend_publish(frontend);
    ended_give_back(frontend);
    acks_end_turn(frontend);
}

/* Input. */

static bool may_process(const struct connection *connection)
{
    return connection->state != STREAM_STATE_CLOSED &&
           !connection->is_waiting && !connection->is_parked;
}

static bool may_read(const struct connection *connection)
{
    return may_process(connection) && !connection->is_throttled;
}

static void update_reading(struct connection *connection)
{
    if (connection->state != STREAM_STATE_CLOSED)
        watch_readable(connection->watch, may_read(connection));
}

/* One unit at the front of `bytes`; its size, or 0 to stop here. */
static size_t process_unit(struct connection *connection, struct slice bytes)
{
    struct framing before = connection->framing;
    enum stream_error error = STREAM_ERROR_NONE;
    size_t size = 0;
    enum framing_unit unit =
        framing_next(&connection->framing, bytes, &size, &error);

    if (unit == FRAMING_NEED_MORE)
        return 0;
    if (unit == FRAMING_ERROR) {
        stream_fail(connection, error, stream_error_name(error));
        return 0;
    }
    bytes.size = size;
    if (stream_unit(connection, unit, bytes) == STREAM_PARK) {
        connection->framing = before;
        connection->is_parked = true;
        return 0;
    }
    return size;
}

/* Handles units at the front of `bytes`; returns how many bytes they had. */
static size_t process(struct connection *connection, struct slice bytes)
{
    size_t done = 0;
    size_t size;

    while (may_process(connection)) {
        size = process_unit(
            connection, (struct slice){bytes.data + done, bytes.size - done});
        if (!size)
            break;
        done += size;
        if (connection->has_ended_units) {
            connection->has_ended_units = false;
            return bytes.size;
        }
    }
    return connection->state == STREAM_STATE_CLOSED ? bytes.size : done;
}

static void take_input(struct connection *connection, struct slice bytes)
{
    struct frontend *frontend = connection->frontend;
    struct buffer *input = &connection->input;
    size_t done;

    frontend_publish(frontend); /* what is there is not of this input */
    connection->is_processing = true;
    if (input->size) {
        buffer_append(input, bytes);
        done = process(connection, buffer_slice(input));
        buffer_consume(input, done);
    } else {
        done = process(connection, bytes);
        if (done < bytes.size)
            buffer_append(input,
                          (struct slice){bytes.data + done, bytes.size - done});
    }
    if (!input->size)
        buffer_deinit(input);
    connection->is_processing = false;
    update_reading(connection);
    acks_publish(connection);
}

static void go_on(struct connection *connection)
{
    if (connection->is_processing || !may_process(connection))
        return;
    if (connection->input.size)
        take_input(connection, SLICE(""));
    update_reading(connection);
}

void connection_answered(struct connection *connection)
{
    connection->is_waiting = false;
    connection->has_answer = true;
    connection_output(connection); /* it comes back at the end of the turn */
}

void connection_unpark(struct connection *connection)
{
    if (!connection->is_parked)
        return;
    connection->is_parked = false;
    go_on(connection);
}

/* What is read in one go; beyond bytes_per_second it is owed. */
static size_t read_size(const struct connection *connection)
{
    uint64_t limit = connection->frontend->config.bytes_per_second;
    size_t min = connection->tls ? TLS_RECORD_BYTES : READ_MIN;

    if (!limit || limit >= SCRATCH_BYTES)
        return SCRATCH_BYTES;
    return limit > min ? limit : min;
}

/* Bytes read; 0: none now; -1: the peer has closed or broken it. */
static ssize_t receive_some(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;
    size_t room = read_size(connection);
    ssize_t got;

    if (connection->tls)
        return tls_read(connection->tls, frontend->scratch, room);
    got = recv(connection->fd, frontend->scratch, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return got > 0 ? got : -1;
}

static void count_bytes(struct connection *connection, size_t bytes)
{
    uint64_t limit = connection->frontend->config.bytes_per_second;

    connection->active_ms = clock_now_ms();
    if (!limit)
        return;
    connection->bytes_owed += bytes;
    connection->is_throttled = connection->bytes_owed > limit;
}

static void pay_bytes(struct connection *connection)
{
    uint64_t limit = connection->frontend->config.bytes_per_second;

    if (!connection->bytes_owed)
        return;
    if (limit && connection->bytes_owed > limit) {
        connection->bytes_owed -= limit;
        connection->is_throttled = connection->bytes_owed > limit;
    } else {
        connection->bytes_owed = 0;
        connection->is_throttled = false;
    }
    if (!connection->is_throttled)
        go_on(connection);
}

/* The client's last words are of no interest, only that it ends. */
static void discard(struct connection *connection)
{
    char *scratch = connection->frontend->scratch;
    ssize_t got = recv(connection->fd, scratch, SCRATCH_BYTES, 0);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        connection_drop(connection);
}

/* One read a turn: whoever sends without end leaves the others theirs. */
static void on_readable(void *argument)
{
    struct connection *connection = argument;
    ssize_t got;

    if (connection->is_leaving) {
        discard(connection);
        return;
    }
    got = receive_some(connection);
    if (got < 0) {
        stream_lost(connection, "connection lost");
        return;
    }
    if (got > 0) {
        count_bytes(connection, (size_t)got);
        take_input(connection,
                   (struct slice){connection->frontend->scratch, (size_t)got});
    }
    if (connection->tls && !connection->output.size)
        watch_writable(connection->watch, tls_wants_write(connection->tls));
}

static void check_peer(struct connection *connection, uint64_t now_ms)
{
    uint64_t timeout = connection->frontend->config.peer_timeout;

    if (now_ms - connection->checked_ms < timeout / PEER_CHECKS)
        return;
    connection->checked_ms = now_ms;
    if (peer_is_gone(connection->fd, timeout))
        stream_lost(connection, "its host does not answer");
}

void connection_tick(struct connection *connection, uint64_t now_ms)
{
    if (connection->is_leaving) {
        if (now_ms >= connection->close_deadline_ms)
            connection_drop(connection);
        return;
    }
    pay_bytes(connection);
    stream_tick(connection, now_ms);
    check_peer(connection, now_ms);
}
