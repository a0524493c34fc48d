/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/flows.h"

#include "conn/listing.h"

/* On its way from thread to thread: the workers in their order, then the one that watches what
 * passes in the kernel, then home. */
struct round {
    struct engine *engine;
    size_t next;                                               /* worker */
    bool (*at_worker)(struct round *round, struct pool *pool); /* true: it is done there */
    void (*at_bypassed)(struct round *round, struct bypassed *bypassed);
    void (*at_home)(struct round *round);
    struct mailbox *home;
};

static void go_on(struct round *round);

static void come_home(void *context)
{
    struct round *round = context;
    round->at_home(round);
}

static void visit_bypassed(void *context)
{
    struct round *round = context;
    round->at_bypassed(round, round->engine->bypassed);
    mailbox_call(round->home, come_home, round);
}

static void visit_worker(void *context)
{
    struct round *round = context;
    if (round->at_worker(round, &round->engine->workers[round->next]->pool))
        round->next++;
    go_on(round);
}

static void go_on(struct round *round)
{
    if (round->next < round->engine->worker_count)
        worker_ping(round->engine->workers[round->next], visit_worker, round);
    else
        bypassed_call(round->engine->bypassed, visit_bypassed, round);
}

/* ---- listing ---- */

struct listing {
    struct round round;
    struct flow_list *list;
    void (*done)(void *context, struct flow_list *list);
    void *context;
};

static bool list_worker(struct round *round, struct pool *pool)
{
    struct listing *listing = container_of(round, struct listing, round);
    flow_list_begin(listing->list);
    listing_fill(pool, listing->list);
    return true;
}

static void list_bypassed(struct round *round, struct bypassed *bypassed)
{
    struct listing *listing = container_of(round, struct listing, round);
    flow_list_begin(listing->list);
    bypassed_list(bypassed, listing->list);
    flow_list_finish(listing->list);
}

static void listed(struct round *round)
{
    struct listing *listing = container_of(round, struct listing, round);
    listing->done(listing->context, listing->list);
    free(listing);
}

void engine_flows(struct engine *engine, size_t limit, struct mailbox *mailbox,
                  void (*done)(void *context, struct flow_list *list), void *context)
{
    struct listing *listing = malloc(sizeof(*listing));
    CHECK(listing != NULL);
    *listing = (struct listing){
        .round = {.engine = engine,
                  .at_worker = list_worker,
                  .at_bypassed = list_bypassed,
                  .at_home = listed,
                  .home = mailbox},
        .list = flow_list_new(limit),
        .done = done,
        .context = context,
    };
    go_on(&listing->round);
}

/* ---- cutting ---- */

struct cutting {
    struct round round;
    struct pool_walk walk; /* in the worker that is next */
    bool walking;
    struct flow_cuts cuts;
    void (*done)(void *context, const struct flow_cuts *cuts);
    void *context;
};

static bool cut_worker(struct round *round, struct pool *pool)
{
    struct cutting *cutting = container_of(round, struct cutting, round);
    struct listing_cuts cuts = {0};
    if (!cutting->walking)
        pool_walk_begin(pool, &cutting->walk);
    cutting->walking = listing_cut(pool, &cutting->walk, &cuts);
    cutting->cuts.intercepted += cuts.intercepted;
    cutting->cuts.passed += cuts.passed;
    if (!cutting->walking)
        pool_walk_end(&cutting->walk);
    return !cutting->walking;
}

static void cut_bypassed(struct round *round, struct bypassed *bypassed)
{
    struct cutting *cutting = container_of(round, struct cutting, round);
    cutting->cuts.ignored = bypassed_cut(bypassed);
}

static void cut_done(struct round *round)
{
    struct cutting *cutting = container_of(round, struct cutting, round);
    cutting->done(cutting->context, &cutting->cuts);
    free(cutting);
}

void engine_cut(struct engine *engine, struct mailbox *mailbox,
                void (*done)(void *context, const struct flow_cuts *cuts), void *context)
{
    struct cutting *cutting = malloc(sizeof(*cutting));
    CHECK(cutting != NULL);
    *cutting = (struct cutting){
        .round = {.engine = engine,
                  .at_worker = cut_worker,
                  .at_bypassed = cut_bypassed,
                  .at_home = cut_done,
                  .home = mailbox},
        .done = done,
        .context = context,
    };
    go_on(&cutting->round);
}
