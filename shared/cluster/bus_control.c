#include "base/clock.h"
#include "base/log.h"
#include "cluster/bus_consumer.h"

enum {
    NOT_FOUND = 404,       /* AMQP 0-9-1, 1.2.1 */
    RESOURCE_LOCKED = 405, /* exclusive to another connection */
};

void bus_control_ask(struct consumer *consumer, struct bus_command *command)
{
    command->next = NULL;
    if (consumer->questions)
        consumer->questions_last->next = command;
    else
        consumer->questions = command;
    consumer->questions_last = command;
}

static bool has_quorum_queues(const struct consumer *consumer)
{
    return consumer->link->bus->config.has_quorum_queues;
}

static void send_delete(struct consumer *consumer, const char *queue,
                        bool is_conditional)
{
    amqp_queue_delete_t delete = {
        .queue = amqp_cstring_bytes(queue),
        .if_unused = is_conditional,
        .if_empty = is_conditional,
    };

    bus_link_send(consumer->link, CHANNEL_CONTROL, AMQP_QUEUE_DELETE_METHOD,
                  &delete);
}

static void send_question(struct consumer *consumer,
                          const struct bus_command *question)
{
    amqp_queue_declare_t declare = {
        .queue = amqp_cstring_bytes(question->queue),
        .passive = 1,
    };

    if (question->kind == BUS_COMMAND_INSPECT || has_quorum_queues(consumer))
        bus_link_send(consumer->link, CHANNEL_CONTROL,
                      AMQP_QUEUE_DECLARE_METHOD, &declare);
    else
        send_delete(consumer, question->queue, true);
}

void bus_control_work(struct consumer *consumer, uint64_t now_ms)
{
    amqp_channel_open_t open = {amqp_empty_bytes};

    if (consumer->is_control_asking) {
        if (now_ms >= consumer->control_deadline_ms)
            bus_link_lose(consumer->link, "no answer about a queue");
        return;
    }
    if (!consumer->questions)
        return;
    if (!consumer->is_control_open)
        bus_link_send(consumer->link, CHANNEL_CONTROL, AMQP_CHANNEL_OPEN_METHOD,
                      &open);
    consumer->is_control_open = true;
    send_question(consumer, consumer->questions);
    consumer->is_control_asking = true;
    consumer->control_deadline_ms = now_ms + LINK_ANSWER_MS;
}

static struct bus_command *take_question(struct consumer *consumer)
{
    struct bus_command *question = consumer->questions;

    consumer->questions = question->next;
    consumer->is_control_asking = false;
    return question;
}

static void answer(struct consumer *consumer, bool exists, uint64_t messages,
                   uint64_t consumers)
{
    struct bus_command *question = take_question(consumer);
    struct bus_report *report;

    if (question->kind != BUS_COMMAND_INSPECT) {
        bus_command_free(&question);
        return;
    }
    report = bus_link_report(consumer->link, BUS_REPORT_INSPECTED, NULL);
    report->command = question;
    report->flag = exists;
    report->message_count = messages;
    report->consumer_count = consumers;
    bus_link_tell(consumer->link, &report);
}

static void on_close(struct consumer *consumer,
                     const amqp_channel_close_t *close)
{
    amqp_channel_close_ok_t ok = {0};
    const struct bus_command *question = consumer->questions;
    char text[256];

    bus_link_send(consumer->link, CHANNEL_CONTROL, AMQP_CHANNEL_CLOSE_OK_METHOD,
                  &ok);
    consumer->is_control_open = false;
    if (!consumer->is_control_asking)
        return;
    bus_link_close_text(close->reply_code, close->reply_text, text,
                        sizeof(text));
    if (close->reply_code != NOT_FOUND)
        log_info("broker: queue \"%s\" %s: %s", question->queue,
                 question->kind == BUS_COMMAND_INSPECT ? "not inspected"
                                                       : "not deleted",
                 text);
    answer(consumer, close->reply_code == RESOURCE_LOCKED, 0, 0);
}

static void on_deleted(struct consumer *consumer)
{
    log_info("broker: queue \"%s\" deleted", consumer->questions->queue);
    answer(consumer, false, 0, 0);
}

/* A quorum queue knows no conditions: the broker closes the connection, and
 * what was asked is asked again.  So they are looked at first. */
static void on_declared(struct consumer *consumer,
                        const amqp_queue_declare_ok_t *declared)
{
    const struct bus_command *question = consumer->questions;

    if (question->kind == BUS_COMMAND_INSPECT) {
        answer(consumer, true, declared->message_count,
               declared->consumer_count);
    } else if (declared->message_count || declared->consumer_count) {
        log_info("broker: queue \"%s\" not deleted: in use", question->queue);
        answer(consumer, true, 0, 0);
    } else {
        send_delete(consumer, question->queue, false);
    }
}

void bus_control_method(struct consumer *consumer, const amqp_method_t *method)
{
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD)
        on_close(consumer, method->decoded);
    else if (!consumer->is_control_asking)
        return;
    else if (method->id == AMQP_QUEUE_DECLARE_OK_METHOD)
        on_declared(consumer, method->decoded);
    else if (method->id == AMQP_QUEUE_DELETE_OK_METHOD)
        on_deleted(consumer);
}

/* What was asked is asked again. */
void bus_control_down(struct consumer *consumer)
{
    consumer->is_control_open = false;
    consumer->is_control_asking = false;
}

void bus_control_discard(struct consumer *consumer)
{
    while (consumer->questions) {
        struct bus_command *question = take_question(consumer);

        bus_command_free(&question);
    }
}
