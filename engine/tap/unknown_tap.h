/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * unknown_tap.h - looks at a protocol that nobody knows, and tells once how each side of it begins,
 * and how evenly its bytes are spread: compressed and encrypted ones have nearly 8 bits of entropy
 * each, texts about 4.
 *
 * It tells when UNKNOWN_COUNTED bytes of both sides were seen, or the connection ends; then it
 * retires. First bytes may be anybody's secret: UNKNOWN_SIGN of them are enough for a magic number,
 * and more are told only where bodies are asked for.
 *
 * Memory: the state of 3 KiB, in the connection's arena. */
#ifndef TAP_UNKNOWN_TAP_H
#define TAP_UNKNOWN_TAP_H

#include "tap/tap.h"

#define UNKNOWN_COUNTED 16384
#define UNKNOWN_SIGN 16

extern const struct tap_kind unknown_tap;

#endif
