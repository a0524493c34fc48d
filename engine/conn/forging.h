/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * forging.h - the certificate that a device is shown: from the cache, made here, or with the
 * signer's help, whose answer is waited for. */
#ifndef CONN_FORGING_H
#define CONN_FORGING_H

#include "conn/conn.h"

/* Goes on with CONN_DEVICE, at once or by CONN_FORGE, or ends the connection. */
void forging_begin(struct conn *conn, const struct leaf_request *request);

/* Listens for the signer's answers from now on. False with errno. */
bool forging_start(struct pool *pool) must_check;

extern const struct conn_stage forging_sign;

#endif
