/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine_tls.h - what the workers speak TLS by: certificates, revocation lists, the keys of
 * tickets.
 *
 * All of it is read anew at a reload, by a thread that has time; an edit at run time leaves it as
 * it is. */
#ifndef CONTROL_ENGINE_TLS_H
#define CONTROL_ENGINE_TLS_H

#include "conn/pool.h"
#include "event/recorder.h"

/* One for each worker. */
struct engine_tls {
    size_t count;
    struct pool_tls *workers[]; /* NULL once it was taken over */
};

/* `feeds` are the workers', for the key log; `authority` is our CA's certificate. Both are borrowed
 * for its life. NULL after everything that is wrong was logged. */
struct engine_tls *engine_tls_new(const struct tls_config *config, X509 *authority,
                                  struct recorder_feed *const *feeds, size_t count) must_check;
void engine_tls_free(struct engine_tls *tls);

/* Reads what a start would read beside the configuration: certificates, revocation lists, and the
 * CA if it is there and we may. False after everything that is wrong was logged. */
bool engine_tls_check(const struct tls_config *config) must_check;

#endif
