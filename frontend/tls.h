/* TLS of client connections (RFC 6120 5, 13.9): TLS 1.2 and newer, OpenSSL. */
#ifndef FRONTEND_TLS_H
#define FRONTEND_TLS_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/slice.h"

struct tls_context;
struct tls;

enum { TLS_RECORD_BYTES = 16 * 1024 }; /* at most, RFC 8446 5.1 */

/* The options `certificate` and `private_key`: PEM files. */
struct tls_files {
    const char *certificate, *private_key;
};

/* NULL: the files cannot be used; *option_out is the option that names the bad
 * one (static), why_out says why. */
struct tls_context *tls_context_create(const struct tls_files *files,
                                       const char **option_out,
                                       struct buffer *why_out);
/* Reads the files again, for connections to come; on failure logs and keeps
 * what there was. */
void tls_context_reload(struct tls_context *context,
                        const struct tls_files *files);
void tls_context_destroy(struct tls_context **context);

/* The server's side on a connected socket, handshake not begun. */
struct tls *tls_create(struct tls_context *context, int fd);
/* Bytes; 0: none now; -1: closed or broken.  Reads whole records as long as
 * there is room for the largest, so `room` is TLS_RECORD_BYTES or more; what is
 * left over is left in the socket, which stays readable. */
ssize_t tls_read(struct tls *tls, char *out, size_t room);
ssize_t tls_write(struct tls *tls, struct slice bytes);
/* The handshake is over. */
bool tls_is_established(const struct tls *tls);
/* What OpenSSL found wrong (static text); NULL: nothing, or the peer has just
 * gone. */
const char *tls_failure(const struct tls *tls);
/* The last of them could not go on because the socket takes no more. */
bool tls_wants_write(const struct tls *tls);
/* Says goodbye if that does not block. */
void tls_shutdown(struct tls *tls);
void tls_destroy(struct tls **tls);

#endif
