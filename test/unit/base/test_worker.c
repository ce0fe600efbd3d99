#include "base/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>

#include "unit.h"

enum { MANY = 500 };

struct job {
    size_t number;
    unsigned ran, done, discarded;
    pthread_t runner;
};

static struct event_base *loop;
static struct worker_pool *pool;
static struct job jobs[MANY];

/* Written by the one worker, or under `mutex`. */
static size_t order[MANY];
static size_t order_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t done_order[MANY];
static size_t done_count;

static sem_t began, may_end;

static void open_pool(size_t threads, size_t capacity)
{
    memset(jobs, 0, sizeof(jobs));
    for (size_t i = 0; i < MANY; i++)
        jobs[i].number = i;
    order_count = done_count = 0;
    sem_init(&began, 0, 0);
    sem_init(&may_end, 0, 0);
    loop = event_base_new();
    pool = worker_pool_create(loop, threads, capacity);
}

static void close_pool(void)
{
    worker_pool_destroy(&pool, NULL);
    CU_ASSERT_PTR_NULL(pool);
    event_base_free(loop);
    sem_destroy(&began);
    sem_destroy(&may_end);
}

static void run(void *argument)
{
    struct job *job = argument;

    job->ran++;
    job->runner = pthread_self();
    pthread_mutex_lock(&mutex);
    order[order_count++] = job->number;
    pthread_mutex_unlock(&mutex);
}

/* Until it is let go. */
static void run_held(void *argument)
{
    sem_post(&began);
    sem_wait(&may_end);
    run(argument);
}

static void done(void *argument)
{
    struct job *job = argument;

    CU_ASSERT_EQUAL(job->ran, 1);
    job->done++;
    done_order[done_count++] = job->number;
}

static void discard(void *argument)
{
    struct job *job = argument;

    job->discarded++;
}

static bool submit(worker_run_fn run_job, size_t number)
{
    return worker_submit(pool, run_job, done, &jobs[number]);
}

static void finish_all(void)
{
    while (worker_pending(pool))
        event_base_loop(loop, EVLOOP_ONCE);
}

/* One thread: in the order submitted, and done in that order. */
static void test_one_thread(void)
{
    open_pool(1, 0);
    for (size_t i = 0; i < MANY; i++)
        CU_ASSERT_TRUE(submit(run, i));
    finish_all();
    CU_ASSERT_EQUAL(order_count, MANY);
    CU_ASSERT_EQUAL(done_count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(order[i], i);
        CU_ASSERT_EQUAL(done_order[i], i);
        CU_ASSERT_FALSE(pthread_equal(jobs[i].runner, pthread_self()));
    }
    close_pool();
}

/* Done comes on the loop, not before it turns. */
static void test_done_on_the_loop(void)
{
    open_pool(1, 0);
    CU_ASSERT_TRUE(submit(run, 0));
    CU_ASSERT_TRUE(submit(run_held, 1));
    sem_wait(&began); /* so the first has run */
    CU_ASSERT_EQUAL(jobs[0].ran, 1);
    CU_ASSERT_EQUAL(jobs[0].done, 0);
    CU_ASSERT_EQUAL(worker_pending(pool), 2);
    event_base_loop(loop, EVLOOP_ONCE);
    CU_ASSERT_EQUAL(jobs[0].done, 1);
    CU_ASSERT_EQUAL(worker_pending(pool), 1);
    sem_post(&may_end);
    finish_all();
    CU_ASSERT_EQUAL(jobs[1].done, 1);
    close_pool();
}

/* Several are under way at the same time. */
static void test_threads(void)
{
    open_pool(3, 0);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_TRUE(submit(run_held, i));
    for (size_t i = 0; i < 3; i++)
        sem_wait(&began);
    for (size_t i = 0; i < 3; i++)
        sem_post(&may_end);
    for (size_t i = 3; i < MANY; i++)
        CU_ASSERT_TRUE(submit(run, i));
    finish_all();
    CU_ASSERT_EQUAL(done_count, MANY);
    for (size_t i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(jobs[i].ran, 1);
    close_pool();
}

/* Full until a job is done, not only until it has run. */
static void test_capacity(void)
{
    open_pool(1, 2);
    CU_ASSERT_TRUE(submit(run, 0));
    CU_ASSERT_TRUE(submit(run_held, 1));
    sem_wait(&began);
    CU_ASSERT_FALSE(submit(run, 2));
    CU_ASSERT_EQUAL(worker_pending(pool), 2);
    event_base_loop(loop, EVLOOP_ONCE);
    CU_ASSERT_TRUE(submit(run, 2));
    CU_ASSERT_FALSE(submit(run, 3));
    sem_post(&may_end);
    finish_all();
    CU_ASSERT_EQUAL(done_count, 3);
    CU_ASSERT_EQUAL(jobs[3].ran, 0);
    close_pool();
}

static void done_and_submit(void *argument)
{
    struct job *job = argument;

    done(job);
    if (job->number + 1 < 20)
        CU_ASSERT_TRUE(worker_submit(pool, run, done_and_submit, job + 1));
}

static void test_submit_when_done(void)
{
    open_pool(1, 1);
    CU_ASSERT_TRUE(worker_submit(pool, run, done_and_submit, &jobs[0]));
    finish_all();
    CU_ASSERT_EQUAL(done_count, 20);
    close_pool();
}

/* While one job is under way and the others wait. */
static void destroy_busy(worker_done_fn discarded)
{
    open_pool(1, 0);
    CU_ASSERT_TRUE(submit(run_held, 0));
    for (size_t i = 1; i < MANY; i++)
        CU_ASSERT_TRUE(submit(run, i));
    sem_wait(&began);
    sem_post(&may_end);
    worker_pool_destroy(&pool, discarded);
    CU_ASSERT_PTR_NULL(pool);
}

/* The job under way is waited for; each is done, or discarded, once. */
static void test_destroy(void)
{
    destroy_busy(discard);
    CU_ASSERT_EQUAL(jobs[0].done, 1);
    for (size_t i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(jobs[i].ran, jobs[i].done);
        CU_ASSERT_EQUAL(jobs[i].done + jobs[i].discarded, 1);
    }
    close_pool();
}

/* Nothing that was submitted is left out. */
static void test_destroy_runs_all(void)
{
    destroy_busy(NULL);
    for (size_t i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(jobs[i].ran, 1);
        CU_ASSERT_EQUAL(jobs[i].done, 1);
        CU_ASSERT_EQUAL(jobs[i].discarded, 0);
    }
    close_pool();
}

static void test_destroy_idle(void)
{
    open_pool(4, 0);
    CU_ASSERT_EQUAL(worker_pending(pool), 0);
    close_pool();
}

static const struct unit_case cases[] = {
    {"one thread", test_one_thread},
    {"done on the loop", test_done_on_the_loop},
    {"threads", test_threads},
    {"capacity", test_capacity},
    {"submitted when done", test_submit_when_done},
    {"destroyed", test_destroy},
    {"destroying runs what waits", test_destroy_runs_all},
    {"destroyed idle", test_destroy_idle},
};

int main(void)
{
    return unit_run("worker", cases, ARRAY_SIZE(cases));
}
