/* Passwords: where they come from, and the SCRAM keys made of them. */
#ifndef TOOL_PASSWORD_H
#define TOOL_PASSWORD_H

#include "base/buffer.h"

/*
 * Prepared with SASLprep (RFC 4013) as RFC 5802 2.2 and RFC 4616 2 ask for what
 * is stored.  The caller wipes and frees it.  NULL: nobody could log in with
 * it; error_out says why, as the end of "the password ..." (static).
 */
char *password_prepare(const char *text, const char **error_out);
void password_wipe(char **password);

/* From a file ("-": standard input) of one line or, file NULL, asked twice at
 * the terminal; prepared.  Exits when there is none, or a second line.  The
 * caller wipes and frees it. */
char *password_read(const char *file, const char *whose);

/* Of a prepared password: appends the field `keys` of account.set (an encoded
 * list): fresh salts, SCRAM-SHA-256 and SCRAM-SHA-1.  Takes milliseconds; any
 * thread. */
void password_derive(struct slice password, struct buffer *keys_out);

#endif
