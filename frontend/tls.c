#include "tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/memory.h"

/* One BIO for all connections, pointed at the socket of the one at work: one
 * for each costs 200 bytes of an idle connection. */
struct tls_context {
    SSL_CTX *context;
    BIO *socket;
};

struct tls {
    SSL *ssl;
    const char *failure; /* static; NULL: none */
    int fd;
};

static void set_options(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

/* The first error is the cause of the others. */
static void explain(struct buffer *why_out, const char *file,
                    const char *expected)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    buffer_appendf(why_out, "cannot use \"%s\": ", file);
    if (ERR_SYSTEM_ERROR(code))
        buffer_append_text(why_out, strerror(ERR_GET_REASON(code)));
    else
        buffer_appendf(why_out, "expected %s (%s)", expected,
                       reason ? reason : "unknown error");
    ERR_clear_error();
}

static bool is_other_key(void)
{
    return ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_X509;
}

/* Nobody is asked for a passphrase at a terminal. */
static int no_passphrase(char *out, int room, int is_writing, void *argument)
{
    (void)out;
    (void)room;
    (void)is_writing;
    (void)argument;
    return -1;
}

/* The option whose file cannot be used, and why_out; or NULL. */
static const char *load_files(SSL_CTX *context, const struct tls_files *files,
                              struct buffer *why_out)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1) {
        explain(why_out, files->certificate, "a PEM certificate");
        return "certificate";
    }
    if (SSL_CTX_use_PrivateKey_file(context, files->private_key,
                                    SSL_FILETYPE_PEM) != 1 &&
        !is_other_key())
        explain(why_out, files->private_key,
                "a PEM private key without a passphrase");
    else if (SSL_CTX_check_private_key(context) != 1)
        explain(why_out, files->private_key, "the key of the certificate");
    return why_out->size ? "private_key" : NULL;
}

static SSL_CTX *load(const struct tls_files *files, const char **option_out,
                     struct buffer *why_out)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    BUG_ON(!context);
    set_options(context);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    *option_out = load_files(context, files, why_out);
    if (!*option_out)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

struct tls_context *tls_context_create(const struct tls_files *files,
                                       const char **option_out,
                                       struct buffer *why_out)
{
    SSL_CTX *loaded = load(files, option_out, why_out);
    struct tls_context *context;

    if (!loaded)
        return NULL;
    context = memory_new(sizeof(*context));
    context->context = loaded;
    context->socket = BIO_new(BIO_s_socket());
    BUG_ON(!context->socket);
    return context;
}

void tls_context_reload(struct tls_context *context,
                        const struct tls_files *files)
{
    struct buffer why = BUFFER_EMPTY;
    const char *option;
    SSL_CTX *fresh = load(files, &option, &why);

    if (fresh) {
        SSL_CTX_free(context->context); /* connections hold on to it */
        context->context = fresh;
        log_info("certificate read again from %s", files->certificate);
    } else {
        log_error("%s: %s; going on with the former certificate", option,
                  why.data);
    }
    buffer_deinit(&why);
}

void tls_context_destroy(struct tls_context **context)
{
    if (!*context)
        return;
    SSL_CTX_free((*context)->context);
    BIO_free((*context)->socket);
    memory_free(context);
}

struct tls *tls_create(struct tls_context *context, int fd)
{
    struct tls *tls = memory_new(sizeof(*tls));

    tls->ssl = SSL_new(context->context);
    tls->fd = fd;
    BUG_ON(!tls->ssl || BIO_up_ref(context->socket) != 1);
    SSL_set_bio(tls->ssl, context->socket, context->socket);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

static SSL *at_work(const struct tls *tls)
{
    BIO_set_fd(SSL_get_rbio(tls->ssl), tls->fd, BIO_NOCLOSE);
    return tls->ssl;
}

/* What a result of SSL_read or SSL_write that is no count means. */
static ssize_t no_bytes(struct tls *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);

    if (error == SSL_ERROR_SSL)
        tls->failure = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0
                                                                         : -1;
}

ssize_t tls_read(struct tls *tls, char *out, size_t room)
{
    SSL *ssl = at_work(tls);
    size_t used = 0;
    ssize_t end = 0;

    /* Whole records: what OpenSSL held back would not make the socket
     * readable. */
    while (room - used >= TLS_RECORD_BYTES) {
        int got = SSL_read(ssl, out + used, (int)(room - used));

        if (got <= 0) {
            end = no_bytes(tls, got);
            break;
        }
        used += (size_t)got;
    }
    if (used && end < 0) /* to be told at the next read: let there be one */
        shutdown(tls->fd, SHUT_RD);
    return used ? (ssize_t)used : end;
}

ssize_t tls_write(struct tls *tls, struct slice bytes)
{
    int size = bytes.size > INT_MAX ? INT_MAX : (int)bytes.size;
    int sent = SSL_write(at_work(tls), bytes.data, size);

    return sent > 0 ? sent : no_bytes(tls, sent);
}

bool tls_is_established(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl);
}

const char *tls_failure(const struct tls *tls)
{
    return tls->failure;
}

bool tls_wants_write(const struct tls *tls)
{
    return SSL_want_write(tls->ssl);
}

void tls_shutdown(struct tls *tls)
{
    if (tls_is_established(tls))
        SSL_shutdown(at_work(tls));
    ERR_clear_error();
}

void tls_destroy(struct tls **tls)
{
    if (!*tls)
        return;
    SSL_free((*tls)->ssl);
    memory_free(tls);
}
