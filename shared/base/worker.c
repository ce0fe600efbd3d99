#include "base/worker.h"

#include <event2/event.h>
#include <pthread.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "base/memory.h"

struct task {
    struct letter letter; /* on its way back to the loop */
    struct task *next;    /* waiting */
    worker_run_fn run;
    worker_done_fn done;
    void *job;
};

struct worker_pool {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct task *first, **last;
    bool is_stopping;
    bool runs_all; /* before it stops */
    struct mailbox *finished;
    struct event *on_finished;
    pthread_t *threads;
    size_t thread_count;
    size_t capacity;
    size_t pending; /* loop only */
};

/* NULL: the pool stops. */
static struct task *next_task(struct worker_pool *pool)
{
    struct task *task = NULL;

    pthread_mutex_lock(&pool->mutex);
    while (!pool->first && !pool->is_stopping)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    if (pool->first && (!pool->is_stopping || pool->runs_all)) {
        task = pool->first;
        pool->first = task->next;
        if (!pool->first)
            pool->last = &pool->first;
    }
    pthread_mutex_unlock(&pool->mutex);
    return task;
}

static void *thread_main(void *argument)
{
    struct worker_pool *pool = argument;
    struct task *task;

    while ((task = next_task(pool))) {
        task->run(task->job);
        mailbox_post(pool->finished, &task->letter);
    }
    return NULL;
}

static void finish_tasks(struct worker_pool *pool)
{
    struct letter *letter = mailbox_take(pool->finished);

    while (letter) {
        struct task *task = LETTER_OWNER(letter, struct task, letter);

        letter = letter->next;
        pool->pending--;
        task->done(task->job);
        memory_free(&task);
    }
}

static void on_finished(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    finish_tasks(argument);
}

struct worker_pool *worker_pool_create(struct event_base *loop, size_t threads,
                                       size_t capacity)
{
    struct worker_pool *pool = memory_new(sizeof(*pool));

    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->last = &pool->first;
    pool->capacity = capacity;
    pool->finished = mailbox_create();
    pool->on_finished = event_new(loop, mailbox_fd(pool->finished),
                                  EV_READ | EV_PERSIST, on_finished, pool);
    BUG_ON(!pool->on_finished);
    event_add(pool->on_finished, NULL);
    pool->threads = memory_new_array(threads, sizeof(*pool->threads));
    for (pool->thread_count = 0; pool->thread_count < threads;
         pool->thread_count++)
        BUG_ON(pthread_create(&pool->threads[pool->thread_count], NULL,
                              thread_main, pool));
    return pool;
}

bool worker_submit(struct worker_pool *pool, worker_run_fn run,
                   worker_done_fn done, void *job)
{
    struct task *task;

    if (pool->capacity && pool->pending >= pool->capacity)
        return false;
    task = memory_new(sizeof(*task));
    task->run = run;
    task->done = done;
    task->job = job;
    pool->pending++;
    pthread_mutex_lock(&pool->mutex);
    *pool->last = task;
    pool->last = &task->next;
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    return true;
}

size_t worker_pending(const struct worker_pool *pool)
{
    return pool->pending;
}

static void discard_waiting(struct worker_pool *pool, worker_done_fn discard)
{
    BUG_ON(pool->first && !discard);
    while (pool->first) {
        struct task *task = pool->first;

        pool->first = task->next;
        discard(task->job);
        memory_free(&task);
    }
}

void worker_pool_destroy(struct worker_pool **pool_at, worker_done_fn discard)
{
    struct worker_pool *pool = *pool_at;

    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->is_stopping = true;
    pool->runs_all = !discard;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    finish_tasks(pool);
    discard_waiting(pool, discard);
    event_free(pool->on_finished);
    mailbox_destroy(&pool->finished);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    memory_free(&pool->threads);
    memory_free(pool_at);
}
