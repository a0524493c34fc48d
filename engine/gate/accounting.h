/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * accounting.h - has the kernel count what passes in it, and note when that began and ended. */
#ifndef GATE_ACCOUNTING_H
#define GATE_ACCOUNTING_H

/* Turns on what is off of it: sysctls, that need CAP_NET_ADMIN and that connection tracking is
 * there. Counted is what begins from then on. What stays off is told in the log, with what to do.
 */
void accounting_turn_on(void);

#endif
