/* The user's name in a SCRAM client-first-message (RFC 5802 5.1). */
#ifndef FRONTEND_SASL_NAME_H
#define FRONTEND_SASL_NAME_H

#include "base/slice.h"

/* Decodes n=... (=2C and =3D) into out; false: not a client-first-message. */
bool sasl_name_parse(struct slice client_first, char *out, size_t room);

#endif
