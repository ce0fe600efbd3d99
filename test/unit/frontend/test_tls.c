#include "fixture.h"

#include "catch.h"
#include "folder.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

static struct folder folder;
static char certificate[FOLDER_PATH_BYTES];

static X509 *sign(EVP_PKEY *key)
{
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    CU_ASSERT_TRUE_FATAL(X509_sign(x509, key, EVP_sha256()) > 0);
    return x509;
}

/* A key and its certificate in one file. */
static void write_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = sign(key);
    FILE *file = fopen(certificate, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    PEM_write_X509(file, x509);
    fclose(file);
    X509_free(x509);
    EVP_PKEY_free(key);
}

static void open_frontend(const char *name, const char *value)
{
    const char *const options[] = {
        "--tls", "optional", "--certificate", certificate, name, value, NULL};

    folder_open(&folder);
    folder_path(&folder, "", "certificate.pem", certificate);
    write_certificate();
    fixture_open(options);
}

static void close_frontend(void)
{
    fixture_close();
    folder_close(&folder);
}

/* A client behind TLS; `client.got` is what it reads there. */
struct secure {
    struct client client;
    SSL_CTX *context;
    SSL *ssl;
    struct connection *connection; /* the frontend's side */
};

static bool handshake(struct secure *secure)
{
    int result;

    do {
        result = SSL_connect(secure->ssl);
        pump();
    } while (result != 1 &&
             SSL_get_error(secure->ssl, result) == SSL_ERROR_WANT_READ);
    return result == 1;
}

static void secure_start(struct secure *secure)
{
    client_open(&secure->client);
    secure->connection = TAILQ_LAST(&frontend->connections, connection_list);
    client_send(&secure->client, HEADER "<starttls xmlns='" NS_TLS "'/>");
    EXPECT_TEXT(&secure->client, "<proceed xmlns='" NS_TLS "'/>");
    fcntl(secure->client.fd, F_SETFL, O_NONBLOCK);
    secure->context = SSL_CTX_new(TLS_client_method());
    secure->ssl = SSL_new(secure->context);
    SSL_set_fd(secure->ssl, secure->client.fd);
}

static void secure_open(struct secure *secure)
{
    secure_start(secure);
    CU_ASSERT_TRUE_FATAL(handshake(secure));
}

static void secure_close(struct secure *secure)
{
    SSL_free(secure->ssl);
    SSL_CTX_free(secure->context);
    client_close(&secure->client);
}

/* One record for each 16 KB; the frontend does not get its turn. */
static void secure_write(struct secure *secure, const char *bytes, size_t size)
{
    CU_ASSERT_EQUAL_FATAL(SSL_write(secure->ssl, bytes, (int)size), (int)size);
}

static void secure_send(struct secure *secure, const char *text)
{
    secure_write(secure, text, strlen(text));
    pump();
}

static bool secure_has(struct secure *secure, const char *text)
{
    struct client *client = &secure->client;
    int got;

    pump();
    while ((got = SSL_read(secure->ssl, client->got + client->size,
                           (int)(CLIENT_ROOM - 1 - client->size))) > 0)
        client->size += (size_t)got;
    client->got[client->size] = '\0';
    return strstr(client->got, text);
}

static bool secure_gets(struct secure *secure, const char *text)
{
    for (int i = 0; i < 200 && !secure_has(secure, text); i++)
        poll(NULL, 0, 5);
    return secure_has(secure, text);
}

static void secure_login(struct secure *secure)
{
    secure_open(secure);
    secure_send(secure, HEADER AUTH_PLAIN(PLAIN_ALICE));
    answer_keys("secret");
    CU_ASSERT_TRUE(secure_gets(secure, "<success"));
    secure_send(secure, HEADER "<iq type='set' id='b'><bind xmlns='" NS_BIND
                               "'/></iq>");
    answer_bind(&secure->client, NULL);
    CU_ASSERT_TRUE(secure_gets(secure, "</jid></bind></iq>"));
    ignore_published();
}

/* Bytes that the client has sent and the frontend has not taken; those on their
 * way count twice. */
static int left(const struct secure *secure)
{
    int sent = 0;
    int waiting = 0;

    CU_ASSERT_EQUAL(ioctl(secure->client.fd, SIOCOUTQ, &sent), 0);
    CU_ASSERT_EQUAL(ioctl(secure->connection->fd, FIONREAD, &waiting), 0);
    return sent + waiting;
}

static void one_turn(void)
{
    event_base_loop(fixture_loop(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

enum { FLOOD_BYTES = 512 * 1024 };

/* White space, which is allowed anywhere, and `text` at the end of the last
 * record. */
static void write_flood(struct secure *secure, const char *text)
{
    char *bytes = memory_new(FLOOD_BYTES);
    size_t size = strlen(text);

    memset(bytes, ' ', FLOOD_BYTES);
    memcpy(bytes + FLOOD_BYTES - size, text, size);
    secure_write(secure, bytes, FLOOD_BYTES);
    memory_free(&bytes);
}

/* Takes no more in a turn than a client without TLS; others get theirs. */
static void flood(struct secure *secure)
{
    struct client other;

    client_open(&other);
    write_flood(secure, "");
    CU_ASSERT_EQUAL(send(other.fd, HEADER, strlen(HEADER), 0),
                    (ssize_t)strlen(HEADER));
    one_turn();
    CU_ASSERT_TRUE(left(secure) >= FLOOD_BYTES - 2 * SCRATCH_BYTES);
    EXPECT_TEXT(&other, "</stream:features>");
    for (int i = 0; i < 1000 && left(secure); i++) {
        pump();
        poll(NULL, 0, 1);
    }
    CU_ASSERT_EQUAL(left(secure), 0);
    client_close(&other);
}

static void test_flood_before_login(void)
{
    struct secure secure;

    open_frontend(NULL, NULL);
    secure_open(&secure);
    secure_send(&secure, HEADER);
    flood(&secure);
    secure_send(&secure, AUTH_PLAIN(PLAIN_ALICE));
    answer_keys("secret");
    CU_ASSERT_TRUE(secure_gets(&secure, "<success"));
    secure_close(&secure);
    close_frontend();
}

static void test_flood_after_login(void)
{
    struct secure secure;

    open_frontend(NULL, NULL);
    secure_login(&secure);
    flood(&secure);
    secure_send(&secure,
                "<iq type='get' id='p'><ping xmlns='" NS_PING "'/></iq>");
    CU_ASSERT_TRUE(secure_gets(&secure, "id='p'"));
    secure_close(&secure);
    close_frontend();
}

/* A limit below a record: what is read is owed, and nothing stays behind. */
static void test_throttled(void)
{
    struct secure secure;
    unsigned seconds = 0;

    open_frontend("--bytes-per-second", "4096");
    secure_open(&secure);
    secure_send(&secure, HEADER);
    write_flood(&secure, AUTH_PLAIN(PLAIN_ALICE));
    pump();
    CU_ASSERT_TRUE(secure.connection->is_throttled);
    while (!secure.connection->is_waiting && seconds < 1000) {
        connection_tick(secure.connection, 0);
        pump();
        seconds++;
    }
    CU_ASSERT_TRUE(seconds >= FLOOD_BYTES / 4096 - 16);
    CU_ASSERT_TRUE(seconds <= FLOOD_BYTES / 4096 + 16);
    answer_keys("secret");
    CU_ASSERT_TRUE(secure_gets(&secure, "<success"));
    secure_close(&secure);
    close_frontend();
}

/* What follows in the same record, and in others, waits for the keys. */
static void test_waiting(void)
{
    static const char text[] =
        AUTH_PLAIN("AGFsaWNlAHdyb25n") AUTH_PLAIN(PLAIN_ALICE);
    struct secure secure;

    open_frontend(NULL, NULL);
    secure_open(&secure);
    secure_send(&secure, HEADER);
    secure_write(&secure, text, sizeof(text) - 1);
    secure_send(&secure, HEADER);
    answer_keys("secret");
    CU_ASSERT_TRUE(secure_gets(&secure, "<not-authorized/>"));
    answer_keys("secret");
    CU_ASSERT_TRUE(secure_gets(&secure, "<bind xmlns='" NS_BIND "'/>"));
    secure_close(&secure);
    close_frontend();
}

/* The end comes with the last words, and the socket stays open. */
static void test_end_with_data(void)
{
    struct secure secure;

    open_frontend(NULL, NULL);
    secure_open(&secure);
    secure_write(&secure, HEADER, strlen(HEADER));
    SSL_shutdown(secure.ssl);
    pump();
    CU_ASSERT_EQUAL(frontend->connection_count, 0);
    secure_close(&secure);
    close_frontend();
}

/* Who asks for TLS and then says nothing cannot be told that its time is over;
 * its connection ends, and nobody tries to write to it meanwhile. */
static void test_no_handshake(void)
{
    struct client client;
    struct connection *connection;
    char byte;

    open_frontend(NULL, NULL);
    client_open(&client);
    connection = TAILQ_LAST(&frontend->connections, connection_list);
    client_send(&client, HEADER "<starttls xmlns='" NS_TLS "'/>");
    EXPECT_TEXT(&client, "<proceed xmlns='" NS_TLS "'/>");
    stream_tick(connection, connection->login_deadline_ms);
    one_turn();
    CU_ASSERT_EQUAL(recv(client.fd, &byte, 1, MSG_DONTWAIT), 0);
    client_close(&client);
    close_frontend();
}

/* What the frontend logs of a client that has asked for TLS. */

static void log_begin(struct catch *caught)
{
    log_set_level(LOG_LEVEL_INFO);
    catch_begin(caught);
}

static void log_end(struct catch *caught, const char *reason)
{
    struct buffer log = BUFFER_EMPTY;
    char wanted[128];

    catch_end(caught, &log);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(wanted, sizeof(wanted), ": TLS handshake failed reason=\"%s\"\n",
             reason);
    if (!log.size || !strstr(log.data, " INFO ") ||
        !strstr(log.data, " connection 127.0.0.1:") ||
        !strstr(log.data, wanted)) {
        printf("\n    %s: %s", reason, log.size ? log.data : "nothing\n");
        CU_FAIL("the reason is not logged");
    }
    buffer_deinit(&log);
}

static void test_no_tls_client(void)
{
    static const char *const rows[][2] = {
        {"", "connection lost"}, /* closes its socket */
        {"GET / HTTP/1.1\r\n\r\n", "http request"},
        {HEADER, "wrong version number"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct client client;
        struct catch caught;

        open_frontend(NULL, NULL);
        client_open(&client);
        client_send(&client, HEADER "<starttls xmlns='" NS_TLS "'/>");
        EXPECT_TEXT(&client, "<proceed xmlns='" NS_TLS "'/>");
        log_begin(&caught);
        client_send(&client, rows[i][0]);
        if (!*rows[i][0])
            shutdown(client.fd, SHUT_WR);
        pump();
        log_end(&caught, rows[i][1]);
        CU_ASSERT_EQUAL(frontend->connection_count, 0);
        client_close(&client);
        close_frontend();
    }
}

static void test_refused_certificate(void)
{
    struct secure secure;
    struct catch caught;

    open_frontend(NULL, NULL);
    secure_start(&secure);
    SSL_set_verify(secure.ssl, SSL_VERIFY_PEER, NULL);
    log_begin(&caught);
    CU_ASSERT_FALSE(handshake(&secure));
    log_end(&caught, "tlsv1 alert unknown ca");
    secure_close(&secure);
    close_frontend();
}

static const struct unit_case cases[] = {
    {"flood before login", test_flood_before_login},
    {"flood after login", test_flood_after_login},
    {"throttled", test_throttled},
    {"waiting", test_waiting},
    {"end with data", test_end_with_data},
    {"no handshake", test_no_handshake},
    {"no TLS client", test_no_tls_client},
    {"refused certificate", test_refused_certificate},
};

int main(void)
{
    return unit_run("tls", cases, ARRAY_SIZE(cases));
}
