/*
 * An archive partition in a folder of its own that knows bob's account, and
 * events to hand to it.
 */
#ifndef UNIT_ARCHIVE_FIXTURE_H
#define UNIT_ARCHIVE_FIXTURE_H

#include "../../../archive/archive.h"
#include "database.h"
#include "folder.h"
#include "outputs.h"

#define BOB "bob@x"
#define AMY "amy@x/pc"

enum { PAGE = 3, MAX_OFFLINE = 5, STAMP = 1700000000 };

static struct folder fixture_folder;
static char fixture_url[FOLDER_PATH_BYTES];
static struct archive_config fixture_config;
static struct archive archive;
static struct output output;
static uint64_t fixture_sequence;

/* Where its file is, in out (FOLDER_PATH_BYTES). */
static inline const char *fixture_path(char *out)
{
    return folder_path(&fixture_folder, "", "archive.03.db", out);
}

/* Behind its back. */
static inline void fixture_execute(const char *sql)
{
    char path[FOLDER_PATH_BYTES];

    database_execute(fixture_path(path), sql);
}

/* A new owner of the same partition, one epoch later. */
static inline void fixture_reopen(void)
{
    struct store_error error;

    store_close(&archive.store);
    archive.store = store_open(fixture_url, 3, false, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(archive.store);
    output.epoch++;
}

static inline void fixture_begin(void)
{
    archive.is_fenced = false;
    CU_ASSERT_TRUE_FATAL(store_begin(archive.store));
}

static inline void fixture_commit(void)
{
    CU_ASSERT_TRUE_FATAL(store_commit(archive.store));
}

static inline void fixture_open(void)
{
    folder_open(&fixture_folder);
    snprintf(fixture_url, sizeof(fixture_url), "sqlite:%s",
             fixture_folder.path);
    fixture_config = (struct archive_config){
        .store = fixture_url, .max_offline = MAX_OFFLINE, .page = PAGE};
    archive.config = &fixture_config;
    outputs_init(&output);
    output.service = SERVICE_ARCHIVE;
    fixture_reopen();
    fixture_begin();
    store_add_account(archive.store, SLICE(BOB));
    fixture_commit();
}

static inline void fixture_close(void)
{
    store_close(&archive.store);
    output_deinit(&output);
    folder_close(&fixture_folder);
}

/* An event in a transaction of its own. */
static inline void fixture_send(const struct event *event)
{
    const char *reason = NULL;
    bool is_known = false;

    fixture_begin();
    for (size_t i = 0; i < archive_handler_count; i++) {
        if (archive_handlers[i].type != event->type)
            continue;
        is_known = true;
        CU_ASSERT_EQUAL(
            archive_handlers[i].handle(&archive, event, &output, &reason),
            HANDLED);
    }
    CU_ASSERT_TRUE(is_known);
    fixture_commit();
}

static inline struct event fixture_event(enum event_type type)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = ++fixture_sequence;
    return event;
}

/* A chat message of amy's that nobody was there for. */
static inline struct event fixture_message(const char *to, const char *payload)
{
    struct event event = fixture_event(EVENT_ARCHIVE_STORE);

    event.kind = STANZA_MESSAGE;
    event.subtype = SLICE("chat");
    event.from = SLICE(AMY);
    event.to = slice_of(to);
    event.id = SLICE("m1");
    event.payload = slice_of(payload);
    event.is_durable = true;
    event.stamp = STAMP;
    return event;
}

#endif
