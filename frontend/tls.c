#include "tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

struct tls_context {
    SSL_CTX *context;
};

struct tls {
    SSL *ssl;
};

static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    return reason ? reason : "unknown error";
}

struct tls_context *tls_context_create(const char *certificate,
                                       const char *private_key)
{
    struct tls_context *context = memory_new(sizeof(*context));
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    BUG_ON(!ctx);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_NO_TICKET |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        log_fatal(EX_CONFIG, "certificate: cannot use \"%s\": %s", certificate,
                  openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(ctx, private_key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        log_fatal(EX_CONFIG, "private_key: cannot use \"%s\": %s", private_key,
                  openssl_reason());
    context->context = ctx;
    return context;
}

void tls_context_destroy(struct tls_context **context)
{
    if (!*context)
        return;
    SSL_CTX_free((*context)->context);
    memory_free(context);
}

struct tls *tls_create(struct tls_context *context, int fd)
{
    struct tls *tls = memory_new(sizeof(*tls));

    tls->ssl = SSL_new(context->context);
    BUG_ON(!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

/* What a result of SSL_read or SSL_write that is no count means. */
static ssize_t no_bytes(const struct tls *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);

    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0
                                                                         : -1;
}

ssize_t tls_read(struct tls *tls, char *out, size_t room)
{
    size_t used = 0;
    ssize_t end = 0;

    /* A record at a time: go on until the socket is empty or `out` full. */
    while (used < room) {
        int got = SSL_read(tls->ssl, out + used, (int)(room - used));

        if (got <= 0) {
            end = no_bytes(tls, got);
            break;
        }
        used += (size_t)got;
    }
    return used ? (ssize_t)used : end;
}

ssize_t tls_write(struct tls *tls, struct slice bytes)
{
    int size = bytes.size > INT_MAX ? INT_MAX : (int)bytes.size;
    int sent = SSL_write(tls->ssl, bytes.data, size);

    return sent > 0 ? sent : no_bytes(tls, sent);
}

void tls_shutdown(struct tls *tls)
{
    if (SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

void tls_destroy(struct tls **tls)
{
    if (!*tls)
        return;
    SSL_free((*tls)->ssl);
    memory_free(tls);
}
