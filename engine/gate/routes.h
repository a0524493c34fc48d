/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * routes.h - policy routing that brings taken packets to this box, whatever their destination:
 *
 *   ip rule add fwmark TAKE/MASK lookup TABLE pref TABLE
 *   ip route add local default dev lo table TABLE
 *
 * for both families. Without our table nobody sets that mark, so what an engine that was killed
 * leaves behind does nothing. */
#ifndef GATE_ROUTES_H
#define GATE_ROUTES_H

#include "gate/ruleset.h"

/* *missing tells whether any was not there already. False with errno if IPv4's are refused; a
 * kernel without IPv6 is no error. */
bool routes_add(const struct marks *marks, uint32_t table, bool *missing) must_check;
void routes_remove(const struct marks *marks, uint32_t table);

#endif
