#include "fixture.h"

#define BOB "bob@x"
#define SHA_256 "SCRAM-SHA-256"
#define ANSWER "node:ctl account.answer"

static struct buffer key_list;

/* account.set with these texts as its keys. */
static struct event set_event(const char *subtype, const char *user,
                              const char *const *texts, size_t count)
{
    struct event event = fixture_event(EVENT_ACCOUNT_SET);
    struct slice items[16];

    for (size_t i = 0; i < count; i++)
        items[i] = slice_of(texts[i]);
    buffer_clear(&key_list);
    event_list_write(&key_list, items, count);
    event.keys = buffer_slice(&key_list);
    event.to = slice_of(user);
    event.subtype = slice_of(subtype);
    event.node = SLICE("ctl");
    event.request = 5;
    return event;
}

/* base64 of "salt", "stored", "server" with one character of our choice. */
static struct event set_user(const char *subtype, const char *user,
                             const char *salt)
{
    const char *const texts[] = {SHA_256,    "4096",        salt,   "c3RvcmVk",
                                 "c2VydmVy", "SCRAM-SHA-1", "5000", salt,
                                 "c3RvcmVk", "c2VydmVy"};

    return set_event(subtype, user, texts, ARRAY_SIZE(texts));
}

static void send_set(const char *subtype, const char *user, const char *salt)
{
    struct event event = set_user(subtype, user, salt);

    fixture_send(&event);
}

static struct event account_event(enum event_type type, const char *user)
{
    struct event event = fixture_event(type);

    event.to = slice_of(user);
    event.node = SLICE("ctl");
    event.request = 5;
    return event;
}

static void send_delete(const char *user)
{
    struct event event = account_event(EVENT_ACCOUNT_DELETE, user);

    fixture_send(&event);
}

/* Answer to auth.keys.ask; its texts live in `body`. */
static struct event get_keys(const char *user, const char *mechanism,
                             struct buffer *body)
{
    struct event event = account_event(EVENT_AUTH_KEYS_ASK, user);
    struct event answer;

    event.mechanism = slice_of(mechanism);
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, body, &answer));
    CU_ASSERT_EQUAL(answer.type, EVENT_AUTH_KEYS);
    CU_ASSERT_EQUAL(answer.request, 5);
    CU_ASSERT_EQUAL(output.count, 1);
    CU_ASSERT_EQUAL(output.first->target, OUTPUT_NODE);
    ASSERT_SLICE(output.first->node, "ctl");
    output_clear(&output);
    return answer;
}

static bool salt_is(const char *user, const char *mechanism, const char *salt)
{
    struct buffer body = BUFFER_EMPTY;
    struct event answer = get_keys(user, mechanism, &body);
    bool is_same = !slice_is_set(answer.condition) &&
                   slice_is(answer.salt, salt) &&
                   slice_is(answer.stored_key, "stored") &&
                   slice_is(answer.server_key, "server");

    buffer_deinit(&body);
    return is_same;
}

static void test_create(void)
{
    fixture_open();
    send_set("create", BOB, "c2FsdA==");
    EXPECT(&output, "delivery account.changed/created " BOB,
           "archive account.changed/created " BOB, ANSWER);
    CU_ASSERT_TRUE(salt_is(BOB, SHA_256, "salt"));
    CU_ASSERT_TRUE(salt_is(BOB, "SCRAM-SHA-1", "salt"));
    send_set("create", BOB, "cGVwcGVy");
    EXPECT(&output, ANSWER " !conflict");
    CU_ASSERT_TRUE(salt_is(BOB, SHA_256, "salt"));
    fixture_reopen();
    CU_ASSERT_TRUE(salt_is(BOB, SHA_256, "salt"));
    fixture_close();
}

static void test_replace(void)
{
    fixture_open();
    send_set("replace", BOB, "c2FsdA==");
    EXPECT(&output, ANSWER " !item-not-found");
    CU_ASSERT_FALSE(fixture_has_account(BOB));
    send_set("create", BOB, "c2FsdA==");
    output_clear(&output);
    send_set("replace", BOB, "cGVwcGVy");
    EXPECT(&output, "delivery account.changed/changed " BOB, ANSWER);
    CU_ASSERT_TRUE(salt_is(BOB, SHA_256, "pepper"));
    fixture_close();
}

/* Its first owner may have ended between writing and telling. */
static void test_repeated_create(void)
{
    struct event event;

    fixture_open();
    event = set_user("create", BOB, "c2FsdA==");
    fixture_send(&event);
    output_clear(&output);
    fixture_send(&event);
    EXPECT(&output, "delivery account.changed/created " BOB,
           "archive account.changed/created " BOB, ANSWER);
    fixture_close();
}

static void test_wrong_keys(void)
{
    static const struct {
        const char *texts[6];
        size_t count;
    } table[] = {
        {{NULL}, 0},
        {{SHA_256}, 1},
        {{SHA_256, "4096", "c2FsdA==", "c3RvcmVk"}, 4},
        {{SHA_256, "4096", "c2FsdA==", "c3RvcmVk", "c2VydmVy", SHA_256}, 6},
        {{SHA_256, "0", "c2FsdA==", "c3RvcmVk", "c2VydmVy"}, 5},
        {{SHA_256, "many", "c2FsdA==", "c3RvcmVk", "c2VydmVy"}, 5},
        {{SHA_256, "4096", "", "c3RvcmVk", "c2VydmVy"}, 5},
        {{SHA_256, "4096", "c2F", "c3RvcmVk", "c2VydmVy"}, 5},
        {{SHA_256, "4096", "c2FsdA==", "c3Rv!mVk", "c2VydmVy"}, 5},
    };

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct event event =
            set_event("create", BOB, table[i].texts, table[i].count);

        fixture_send(&event);
        EXPECT(&output, ANSWER " !bad-request");
    }
    CU_ASSERT_FALSE(fixture_has_account(BOB));
    fixture_close();
}

static void test_wrong_names(void)
{
    static const char *const names[] = {"x", "bob", "bob@y", "bob@x/pc",
                                        "bob@x.y"};

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        send_set("create", names[i], "c2FsdA==");
        EXPECT(&output, ANSWER " !bad-request");
        CU_ASSERT_FALSE(fixture_has_account(names[i]));
    }
    fixture_close();
}

/* Nobody learns from the answer which accounts exist: fake keys look like keys,
 * stay the same, and differ between users and mechanisms. */
static void test_fake_keys(void)
{
    static const struct {
        const char *user, *mechanism;
        size_t size;
    } table[] = {
        {BOB, SHA_256, 32},
        {BOB, "SCRAM-SHA-1", 20},
        {"eve@x", SHA_256, 32},
        {ANN, SHA_256, 32}, /* an account without keys */
    };
    struct buffer bodies[ARRAY_SIZE(table)] = {BUFFER_EMPTY};
    struct event answers[ARRAY_SIZE(table)];
    struct buffer again = BUFFER_EMPTY;

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        answers[i] = get_keys(table[i].user, table[i].mechanism, &bodies[i]);
        ASSERT_SLICE(answers[i].condition, "item-not-found");
        CU_ASSERT_EQUAL(answers[i].salt.size, 16);
        CU_ASSERT_EQUAL(answers[i].stored_key.size, table[i].size);
        CU_ASSERT_EQUAL(answers[i].server_key.size, table[i].size);
        CU_ASSERT_EQUAL(answers[i].iterations, 4096);
        CU_ASSERT_NOT_EQUAL(
            memcmp(answers[i].salt.data, answers[i].stored_key.data, 16), 0);
        CU_ASSERT_FALSE(
            slice_equal(answers[i].stored_key, answers[i].server_key));
        for (size_t j = 0; j < i; j++) {
            CU_ASSERT_FALSE(slice_equal(answers[i].salt, answers[j].salt));
            CU_ASSERT_FALSE(
                slice_equal(answers[i].stored_key, answers[j].stored_key));
        }
    }
    fixture_reopen();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct event answer =
            get_keys(table[i].user, table[i].mechanism, &again);

        CU_ASSERT_TRUE(slice_equal(answer.salt, answers[i].salt));
        CU_ASSERT_TRUE(slice_equal(answer.stored_key, answers[i].stored_key));
        CU_ASSERT_TRUE(slice_equal(answer.server_key, answers[i].server_key));
        buffer_deinit(&bodies[i]);
    }
    buffer_deinit(&again);
    fixture_close();
}

static void test_delete(void)
{
    struct store_item item;

    fixture_open();
    send_set("create", BOB, "c2FsdA==");
    fixture_put("1@x", SUBSCRIPTION_BOTH, true);
    fixture_put("2@x", SUBSCRIPTION_NONE_IN, false);
    fixture_put("3@x", SUBSCRIPTION_NONE, true);
    output_clear(&output);
    send_delete(ANN);
    EXPECT(&output, "roster subscription.arrive/unsubscribe 1@x <" ANN,
           "roster subscription.arrive/unsubscribed 1@x <" ANN,
           "roster subscription.arrive/unsubscribed 2@x <" ANN,
           "delivery account.changed/deleted " ANN,
           "archive account.changed/deleted " ANN, ANSWER);
    CU_ASSERT_FALSE(fixture_has_account(ANN));
    CU_ASSERT_FALSE(fixture_get("1@x", &item));
    CU_ASSERT_TRUE(fixture_has_account(BOB));
    CU_ASSERT_TRUE(salt_is(BOB, SHA_256, "salt"));
    fixture_close();
}

/* The others hear of it all the same: see test_repeated_create. */
static void test_repeated_delete(void)
{
    fixture_open();
    send_delete(ANN);
    output_clear(&output);
    send_delete(ANN);
    EXPECT(&output, "delivery account.changed/deleted " ANN,
           "archive account.changed/deleted " ANN, ANSWER " !item-not-found");
    fixture_close();
}

static void test_deleted_and_created(void)
{
    fixture_open();
    send_set("create", BOB, "c2FsdA==");
    send_delete(BOB);
    output_clear(&output);
    send_set("create", BOB, "cGVwcGVy");
    EXPECT(&output, "delivery account.changed/created " BOB,
           "archive account.changed/created " BOB, ANSWER);
    CU_ASSERT_TRUE(salt_is(BOB, SHA_256, "pepper"));
    fixture_close();
}

/* Lists of at most 500 names; all but the last say that more follows. */
static void test_list(void)
{
    struct event event = account_event(EVENT_ACCOUNT_LIST_ASK, NULL);
    struct buffer body = BUFFER_EMPTY;
    size_t total = 0;

    fixture_open();
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    for (unsigned i = 0; i < EVENT_NAMES_MAX; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%u@x", i);
        store_add_account(roster->store, slice_of(name));
    }
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    fixture_send(&event);
    CU_ASSERT_EQUAL(output.count, 2);
    for (size_t i = 0; i < output.count; i++) {
        struct event answer;
        struct event_list list;
        struct slice name;

        outputs_event(&output, i, &body, &answer);
        CU_ASSERT_EQUAL(answer.type, EVENT_ACCOUNT_LIST);
        CU_ASSERT_EQUAL(answer.request, 5);
        CU_ASSERT_EQUAL(answer.has_more, i == 0);
        event_list_open(&list, answer.names);
        while (event_list_next(&list, &name))
            total++;
    }
    CU_ASSERT_EQUAL(total, EVENT_NAMES_MAX + 1);
    buffer_deinit(&body);
    fixture_close();
}

static void test_failed_logins_are_only_logged(void)
{
    struct event event = account_event(EVENT_LOGIN_FAILED, BOB);

    fixture_open();
    event.address = SLICE("127.0.0.1");
    fixture_send(&event);
    EXPECT_NOTHING(&output);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"create", test_create},
        {"replace", test_replace},
        {"a repeated create", test_repeated_create},
        {"wrong keys", test_wrong_keys},
        {"wrong names", test_wrong_names},
        {"fake keys", test_fake_keys},
        {"delete", test_delete},
        {"a repeated delete", test_repeated_delete},
        {"deleted and created", test_deleted_and_created},
        {"list", test_list},
        {"failed logins are only logged", test_failed_logins_are_only_logged},
    };
    int status = unit_run("roster accounts", cases, ARRAY_SIZE(cases));

    buffer_deinit(&key_list);
    return status;
}
