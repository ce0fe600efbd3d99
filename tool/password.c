#include "password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <stringprep.h>
#include <sys/random.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "cluster/event.h"
#include "xmpp/utf8.h"

enum {
    ITERATIONS = 4096, /* RFC 5802 5.1, RFC 7677 4: at least */
    SALT_BYTES = 16,
    PASSWORD_MAX = 1024,
    FIELDS = 5,
    TEXT_MAX = 128,
};

void password_wipe(char **password)
{
    if (*password)
        OPENSSL_cleanse(*password, strlen(*password));
    memory_free(password);
}

static const char *explain(int result)
{
    switch (result) {
    case STRINGPREP_CONTAINS_PROHIBITED:
        return "has a prohibited character (RFC 4013 2.3)";
    case STRINGPREP_BIDI_BOTH_L_AND_RAL:
    case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
    case STRINGPREP_BIDI_CONTAINS_PROHIBITED:
        return "mixes directions of writing (RFC 4013 2.4)";
    case STRINGPREP_CONTAINS_UNASSIGNED:
        return "has an unassigned character (RFC 4013 2.5)";
    default:
        return "cannot be prepared (RFC 4013)";
    }
}

char *password_prepare(const char *text, const char **error_out)
{
    char *prepared = NULL;
    char *password = NULL;
    int result;

    if (!utf8_is_valid(slice_of(text))) {
        *error_out = "is not UTF-8";
        return NULL;
    }
    result = stringprep_profile(text, &prepared, "SASLprep",
                                STRINGPREP_NO_UNASSIGNED);
    if (result != STRINGPREP_OK)
        *error_out = explain(result);
    else if (!*prepared)
        *error_out = "is empty";
    else
        password = memory_copy_text(slice_of(prepared));
    if (prepared)
        explicit_bzero(prepared, strlen(prepared));
    free(prepared);
    return password;
}

static void read_line(FILE *file, char *line, const char *from)
{
    size_t size;

    if (!fgets(line, PASSWORD_MAX, file)) {
        fprintf(stderr,
                "oceanctl: %s is empty; expected one line, the password\n",
                from);
        exit(EX_NOINPUT);
    }
    if (strlen(line) == PASSWORD_MAX - 1 && line[PASSWORD_MAX - 2] != '\n') {
        fprintf(stderr, "oceanctl: the password is too long\n");
        exit(EX_DATAERR);
    }
    size = strcspn(line, "\n");
    if (size && line[size - 1] == '\r')
        size--;
    line[size] = '\0';
}

/* More of them would say that it is another file than was meant.  At a terminal
 * there is no end to wait for. */
static void read_only_line(FILE *file, char *line, const char *from)
{
    read_line(file, line, from);
    if (isatty(fileno(file)) || getc(file) == EOF)
        return;
    fprintf(stderr,
            "oceanctl: %s has more than one line; expected only the "
            "password\n",
            from);
    exit(EX_DATAERR);
}

static void ask(const char *prompt, char *line)
{
    struct termios before;
    struct termios silent;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        fprintf(stderr, "oceanctl: no terminal to ask for a password; use "
                        "--password-file FILE\n");
        exit(EX_NOINPUT);
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    read_line(stdin, line, "standard input");
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
}

static void ask_twice(const char *whose, char *line)
{
    char prompt[256];
    char again[PASSWORD_MAX];

    snprintf(prompt, sizeof(prompt), "Password for %s: ", whose);
    ask(prompt, line);
    ask("Again: ", again);
    if (strcmp(line, again) != 0) {
        fprintf(stderr, "oceanctl: the two passwords differ\n");
        exit(EX_DATAERR);
    }
    explicit_bzero(again, sizeof(again));
}

char *password_read(const char *file, const char *whose)
{
    char line[PASSWORD_MAX];
    char *password;
    const char *error = NULL;

    if (!file) {
        ask_twice(whose, line);
    } else if (!strcmp(file, "-")) {
        read_only_line(stdin, line, "standard input");
    } else {
        FILE *stream = fopen(file, "re");

        if (!stream) {
            fprintf(stderr, "oceanctl: cannot read %s\n", file);
            exit(EX_NOINPUT);
        }
        read_only_line(stream, line, file);
        fclose(stream);
    }
    password = password_prepare(line, &error);
    explicit_bzero(line, sizeof(line));
    if (!password) {
        fprintf(stderr, "oceanctl: the password %s\n", error);
        exit(EX_DATAERR);
    }
    return password;
}

/* RFC 5802 3. */
struct scram_keys {
    unsigned char salt[SALT_BYTES];
    unsigned char stored[EVP_MAX_MD_SIZE];
    unsigned char server[EVP_MAX_MD_SIZE];
    unsigned size;
};

static void derive(struct slice password, const EVP_MD *hash,
                   struct scram_keys *keys)
{
    unsigned char salted[EVP_MAX_MD_SIZE];
    unsigned char client[EVP_MAX_MD_SIZE];
    int size = EVP_MD_get_size(hash);

    BUG_ON(getrandom(keys->salt, SALT_BYTES, 0) != SALT_BYTES);
    BUG_ON(PKCS5_PBKDF2_HMAC(password.data, (int)password.size, keys->salt,
                             SALT_BYTES, ITERATIONS, hash, size, salted) != 1);
    BUG_ON(!HMAC(hash, salted, size, (const unsigned char *)"Client Key", 10,
                 client, &keys->size));
    BUG_ON(!HMAC(hash, salted, size, (const unsigned char *)"Server Key", 10,
                 keys->server, &keys->size));
    BUG_ON(EVP_Digest(client, keys->size, keys->stored, &keys->size, hash,
                      NULL) != 1);
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client, sizeof(client));
}

static struct slice base64(const unsigned char *bytes, size_t size, char *out)
{
    int length = EVP_EncodeBlock((unsigned char *)out, bytes, (int)size);

    return (struct slice){out, (size_t)length};
}

static void keys_fields(struct slice password, const char *mechanism,
                        const EVP_MD *hash, char texts[3][TEXT_MAX],
                        struct slice *fields)
{
    struct scram_keys keys;

    derive(password, hash, &keys);
    fields[0] = slice_of(mechanism);
    fields[1] = SLICE("4096");
    fields[2] = base64(keys.salt, SALT_BYTES, texts[0]);
    fields[3] = base64(keys.stored, keys.size, texts[1]);
    fields[4] = base64(keys.server, keys.size, texts[2]);
    OPENSSL_cleanse(&keys, sizeof(keys));
}

void password_derive(struct slice password, struct buffer *keys_out)
{
    char texts[2][3][TEXT_MAX];
    struct slice fields[2 * FIELDS];

    _Static_assert(ITERATIONS == 4096, "keys_fields spells it");
    keys_fields(password, "SCRAM-SHA-256", EVP_sha256(), texts[0], fields);
    keys_fields(password, "SCRAM-SHA-1", EVP_sha1(), texts[1], fields + FIELDS);
    event_list_write(keys_out, fields, ARRAY_SIZE(fields));
    OPENSSL_cleanse(texts, sizeof(texts));
}
