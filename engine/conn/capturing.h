/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * capturing.h - what a connection says inside TLS, on its way to those who want packets of it
 * (event/capture.h). One thread, the worker's. */
#ifndef CONN_CAPTURING_H
#define CONN_CAPTURING_H

struct conn;

/* Shows the relay's bytes to them from now on, beside whoever looks at them already. Nothing if
 * nobody wants packets: then the relay is as it was. */
void capturing_begin(struct conn *conn);

/* Tells how the connection has ended. Harmless if nobody wanted packets of it. */
void capturing_end(struct conn *conn);

#endif
