/*
 * The roster service: accounts, rosters, subscriptions.
 *
 *   roster.c         opening, transactions, the table of handlers
 *   accounts.c       SCRAM keys, what oceanctl asks
 *   items.c          jabber:iq:roster get and set (RFC 6121 2)
 *   requests.c       subscription requests, both halves (RFC 6121 3)
 *   answer.c         what the session that asked is told
 *   push.c           what every change tells the user's other sessions
 *   subscription.c   RFC 6121 appendix A
 */
#ifndef ROSTER_ROSTER_H
#define ROSTER_ROSTER_H

#include "cluster/service.h"
#include "store.h"

struct roster_config {
    char *store;     /* URL */
    int synchronous; /* enum store_synchronous */
    uint64_t max_items;
    uint64_t max_requests; /* of strangers */
};

/* State of one partition.  The arena lives as long as a batch. */
struct roster {
    const struct roster_config *config;
    char *domain;
    struct store *store;
    struct arena arena;
    bool is_fenced; /* in this transaction */
};

/* roster.c: the hooks of service.h */
void *roster_open(const void *config, const char *domain, unsigned partition,
                  struct store_error *error_out);
void roster_close(void *state);
bool roster_begin(void *state) WARN_UNUSED;
bool roster_rollback(void *state, bool *has_changed_out) WARN_UNUSED;
bool roster_commit(void *state) WARN_UNUSED;
const char *roster_refusal(const void *state);
extern const struct service_handler roster_handlers[];
extern const size_t roster_handler_count;
/* Begins every handler that writes: only the latest owner may. */
void roster_fence(struct roster *roster, const struct output *output);

/* accounts.c */
enum handled on_auth_keys_ask(void *state, const struct event *event,
                              struct output *output, const char **reason_out);
enum handled on_login_failed(void *state, const struct event *event,
                             struct output *output, const char **reason_out);
enum handled on_account_set(void *state, const struct event *event,
                            struct output *output, const char **reason_out);
enum handled on_account_delete(void *state, const struct event *event,
                               struct output *output, const char **reason_out);
enum handled on_account_list_ask(void *state, const struct event *event,
                                 struct output *output,
                                 const char **reason_out);

/* items.c */
enum handled on_iq_request(void *state, const struct event *event,
                           struct output *output, const char **reason_out);

/* May no contact be listed any more? */
bool items_are_full(struct roster *roster, struct slice user);

/* requests.c */
enum handled on_subscription_request(void *state, const struct event *event,
                                     struct output *output,
                                     const char **reason_out);
enum handled on_subscription_arrive(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out);
enum handled on_contacts_ask(void *state, const struct event *event,
                             struct output *output, const char **reason_out);
/* Ends what there is between the two, towards the contact (RFC 6121 2.5.2). */
void requests_cancel(const struct event *cause, struct slice user,
                     const struct store_item *item, struct output *output);

/* answer.c */
/* Straight to the session's frontend. */
void answer_result(const struct event *request, struct slice payload,
                   struct output *output);
/* `condition`: RFC 6120 8.3.3 */
void answer_error(const struct event *request, const char *condition,
                  struct output *output);

/* push.c */
/* <item/> as rosters and pushes show it; `subscription` NULL: from its state */
void push_write_item(struct buffer *out, const struct store_item *item,
                     const char *subscription);
/* RFC 6121 2.1.6: to all interested resources of the user. */
void push_item(const struct event *cause, struct slice user,
               const struct store_item *item, const char *subscription,
               struct output *output);
/* Tells the presence service, when who may see whom has changed. */
void push_contact(const struct event *cause, struct slice user,
                  struct slice contact, const char *subscription,
                  struct output *output);

#endif
