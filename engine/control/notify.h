/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * notify.h - tells the service manager how we are (sd_notify(3)'s protocol, without its library).
 */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

#include "core/macros.h"

#include <stdint.h>

/* Sends "READY=1" and the like; lines are separated by newlines. Does nothing where nobody listens.
 */
void notify(const char *format, ...) printf_like(1, 2);

/* How often "WATCHDOG=1" is expected, in ms; 0 if it is not. */
uint64_t notify_watchdog_ms(void);

#endif
