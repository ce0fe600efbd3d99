#include "xmpp/stream_error.h"

#include "base/log.h"

static const char *const names[STREAM_ERROR_COUNT] = {
    [STREAM_ERROR_BAD_FORMAT] = "bad-format",
    [STREAM_ERROR_BAD_NAMESPACE_PREFIX] = "bad-namespace-prefix",
    [STREAM_ERROR_CONFLICT] = "conflict",
    [STREAM_ERROR_CONNECTION_TIMEOUT] = "connection-timeout",
    [STREAM_ERROR_HOST_UNKNOWN] = "host-unknown",
    [STREAM_ERROR_INTERNAL_SERVER_ERROR] = "internal-server-error",
    [STREAM_ERROR_INVALID_FROM] = "invalid-from",
    [STREAM_ERROR_INVALID_NAMESPACE] = "invalid-namespace",
    [STREAM_ERROR_INVALID_XML] = "invalid-xml",
    [STREAM_ERROR_NOT_AUTHORIZED] = "not-authorized",
    [STREAM_ERROR_NOT_WELL_FORMED] = "not-well-formed",
    [STREAM_ERROR_POLICY_VIOLATION] = "policy-violation",
    [STREAM_ERROR_RESET] = "reset",
    [STREAM_ERROR_RESOURCE_CONSTRAINT] = "resource-constraint",
    [STREAM_ERROR_RESTRICTED_XML] = "restricted-xml",
    [STREAM_ERROR_SYSTEM_SHUTDOWN] = "system-shutdown",
    [STREAM_ERROR_UNDEFINED_CONDITION] = "undefined-condition",
    [STREAM_ERROR_UNSUPPORTED_ENCODING] = "unsupported-encoding",
    [STREAM_ERROR_UNSUPPORTED_STANZA_TYPE] = "unsupported-stanza-type",
    [STREAM_ERROR_UNSUPPORTED_VERSION] = "unsupported-version",
};

const char *stream_error_name(enum stream_error error)
{
    BUG_ON((unsigned)error >= STREAM_ERROR_COUNT || !names[error]);
    return names[error];
}
