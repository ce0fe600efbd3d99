#include "keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/memory.h"

struct key_job {
    struct frontend *frontend;
    uint64_t request;
    keys_checked_fn checked;
    char *password;
    size_t password_size;
    unsigned char salt[SALT_BYTES_MAX];
    size_t salt_size;
    int iterations;
    unsigned char stored_key[KEY_BYTES];
    bool matches;
};

/* StoredKey = H(HMAC(SaltedPassword, "Client Key")). */
static bool derive(const struct key_job *job, unsigned char *stored_key)
{
    unsigned char salted[KEY_BYTES];
    unsigned char client_key[KEY_BYTES];
    unsigned size = 0;
    bool is_derived =
        PKCS5_PBKDF2_HMAC(job->password, (int)job->password_size, job->salt,
                          (int)job->salt_size, job->iterations, EVP_sha256(),
                          KEY_BYTES, salted) == 1 &&
        HMAC(EVP_sha256(), salted, KEY_BYTES,
             (const unsigned char *)"Client Key", 10, client_key, &size) &&
        EVP_Digest(client_key, KEY_BYTES, stored_key, &size, EVP_sha256(),
                   NULL) == 1;

    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
    return is_derived;
}

static void run_job(void *argument)
{
    struct key_job *job = argument;
    unsigned char stored_key[KEY_BYTES];

    job->matches = derive(job, stored_key) &&
                   CRYPTO_memcmp(stored_key, job->stored_key, KEY_BYTES) == 0;
}

static void job_destroy(struct key_job **job)
{
    OPENSSL_cleanse((*job)->password, (*job)->password_size);
    memory_free(&(*job)->password);
    memory_free(job);
}

static void done_job(void *argument)
{
    struct key_job *job = argument;

    job->checked(job->frontend, job->request, job->matches);
    job_destroy(&job);
}

void keys_discard(void *argument)
{
    struct key_job *job = argument;

    job_destroy(&job);
}

bool keys_check(struct frontend *frontend, uint64_t request,
                struct slice password, const struct event *event,
                keys_checked_fn checked)
{
    struct key_job *job;

    if (event->salt.size > SALT_BYTES_MAX ||
        event->stored_key.size != KEY_BYTES || !event->iterations ||
        event->iterations > 10000000)
        return false;
    job = memory_new(sizeof(*job));
    job->frontend = frontend;
    job->request = request;
    job->checked = checked;
    job->password = memory_copy_text(password);
    job->password_size = password.size;
    memcpy(job->salt, event->salt.data, event->salt.size);
    job->salt_size = event->salt.size;
    job->iterations = (int)event->iterations;
    memcpy(job->stored_key, event->stored_key.data, KEY_BYTES);
    if (worker_submit(frontend->key_workers, run_job, done_job, job))
        return true;
    job_destroy(&job);
    return false;
}
