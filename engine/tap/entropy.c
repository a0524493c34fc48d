/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/entropy.h"

#define FRACTION 16 /* bits of a logarithm behind the point */

/* The logarithm to base 2 of a number from 1 to 2^24: squaring doubles it, and each time that
 * carries it past 2, its next bit is set. */
static uint64_t logarithm(uint32_t number)
{
    unsigned whole = 31 - (unsigned)__builtin_clz(number);
    uint64_t result = whole, mantissa = (uint64_t)number << (31 - whole);
    for (int i = 0; i < FRACTION; i++) {
        mantissa = mantissa * mantissa >> 31;
        unsigned bit = (unsigned)(mantissa >> 32);
        mantissa >>= bit;
        result = result << 1 | bit;
    }
    return result;
}

void entropy_count(struct entropy *entropy, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        entropy->counts[bytes[i]]++;
}

/* With n bytes, and c of a value: log n - sum(c log c) / n. */
unsigned entropy_of(const struct entropy *entropy)
{
    uint64_t sum = 0;
    uint32_t total = 0;
    for (size_t i = 0; i < 256; i++) {
        const uint32_t count = entropy->counts[i];
        total += count;
        sum += count > 0 ? count * logarithm(count) : 0;
    }
    if (total == 0)
        return 0;
    uint64_t bits = logarithm(total) - sum / total;
    return (unsigned)((bits * 1000 + (1u << (FRACTION - 1))) >> FRACTION);
}
