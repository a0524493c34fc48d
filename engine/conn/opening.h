/* SPDX-License-Identifier: GPL-3.0-or-later *
 * opening.h - the device's first bytes: HELLO and SILENT. */
#ifndef CONN_OPENING_H
#define CONN_OPENING_H

#include "conn/conn.h"

extern const struct conn_stage opening_hello, opening_silent;

#endif
