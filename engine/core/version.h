/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * version.h - ours. */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define INTERCEPTD_VERSION "0.1.0"

#endif
