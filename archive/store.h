/*
 * What the archive keeps: which accounts exist, their stored messages, the
 * register of inboxes.  One store per partition, used from the store thread
 * between store_begin and store_commit.  No other file knows SQL.
 */
#ifndef ARCHIVE_STORE_H
#define ARCHIVE_STORE_H

#include "base/store.h"
#include "cluster/event.h"

/* `url`: "sqlite:DIR".  NULL: error_out says why. */
struct store *store_open(const char *url, unsigned partition, bool is_full,
                         struct store_error *error_out);

void store_add_account(struct store *store, struct slice user);
/* With its messages. */
void store_remove_account(struct store *store, struct slice user);
bool store_has_account(struct store *store, struct slice user);

/* True: this event was put for that user in the last two hours, the same way
 * (even if it has been delivered and deleted since), or another way and it is
 * still here; or it was dropped.  One that was delivered and is given back is a
 * new one. */
bool store_knows(struct store *store, const struct event *event);
/* The client has it: deletes the message with this id for event->to, and keeps
 * in mind that it is not to be stored again. */
void store_drop(struct store *store, const struct event *event);
bool store_has_dropped(struct store *store, const struct event *event);
/* A client has not acknowledged it yet: kept for the session event->session,
 * whether it is here already (then it is spared, too) or not; before all that
 * nobody was given yet. */
void store_take_custody(struct store *store, const struct event *event);
/* Forgets older ones, some at a time. */
void store_purge(struct store *store);

uint64_t store_count(struct store *store, struct slice user);
/* For event->to, behind all that is stored for him. */
void store_put(struct store *store, const struct event *event);
/* It had been on its way to a session of his and has come back: before all that
 * nobody was given yet, after what is in custody or has come back until now. */
void store_put_back(struct store *store, const struct event *event);
/* It has come back, and the page that it was of is still here: the end of that
 * page does not delete it (store_delete_until). */
void store_spare(struct store *store, const struct event *event);
/* A page that store_each gave, up to `place`, when store_newest was `newest`:
 * not what has been put before its end since.  Nor those in custody for that
 * session. */
void store_delete_until(struct store *store, struct slice user,
                        uint64_t session, uint64_t place, uint64_t newest);
/* The row of what was put last, for whomever. */
uint64_t store_newest(struct store *store);

bool store_has_messages(struct store *store, struct slice user);
/* The oldest first; places rise.  Event bytes live until the next call. */
typedef void (*store_row_fn)(void *argument, uint64_t place,
                             struct slice event);
/* But those in custody for that session, which its frontend has.  Returns true
 * if there are more than `limit`. */
bool store_each(struct store *store, struct slice user, uint64_t session,
                uint64_t limit, store_row_fn take, void *argument);

/* Mark that delivery gave to the event stored last for that user. */
void store_set_mark(struct store *store, struct slice user, uint64_t mark);
uint64_t store_mark(struct store *store, struct slice user);

void store_add_inbox(struct store *store, struct slice node);
void store_remove_inbox(struct store *store, struct slice node);
typedef void (*store_inbox_fn)(void *argument, struct slice node);
void store_each_inbox(struct store *store, store_inbox_fn take, void *argument);

#endif
