/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * entropy.h - how evenly bytes are spread over their 256 values (Shannon's entropy).
 *
 * Pure functions. Memory: the structure of 1 KiB. */
#ifndef TAP_ENTROPY_H
#define TAP_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* All-zero: nothing was counted. No more than 2^24 bytes may be. */
struct entropy {
    uint32_t counts[256];
};

void entropy_count(struct entropy *entropy, const uint8_t *bytes, size_t length);

/* In thousandths of a bit for each byte: 0 to 8000. Of few bytes it is low, since n of them are n
 * values at most: the logarithm of n to base 2. */
unsigned entropy_of(const struct entropy *entropy);

#endif
