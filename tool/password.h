/* Passwords: where they come from, and the SCRAM keys made of them. */
#ifndef TOOL_PASSWORD_H
#define TOOL_PASSWORD_H

#include "base/buffer.h"

/* From a file ("-": standard input) or, file NULL, asked twice at the
 * terminal.  Exits when there is none.  The caller wipes and frees it. */
char *password_read(const char *file, const char *whose);
void password_wipe(char **password);

/* Appends the field `keys` of account.set (an encoded list): fresh salts,
 * SCRAM-SHA-256 and SCRAM-SHA-1.  Takes milliseconds; any thread. */
void password_derive(struct slice password, struct buffer *keys_out);

#endif
