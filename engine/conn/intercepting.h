/* SPDX-License-Identifier: GPL-3.0-or-later *
 * intercepting.h - TLS on both sides, the origin's first: DIAL, UPSTREAM, VERDICT and
 * DEVICE. */
#ifndef CONN_INTERCEPTING_H
#define CONN_INTERCEPTING_H

#include "conn/conn.h"

extern const struct conn_stage intercepting_dial, intercepting_upstream, intercepting_verdict,
    intercepting_device;

#endif
