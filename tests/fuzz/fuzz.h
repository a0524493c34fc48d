/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fuzz.h - what every fuzz target is: one function, that libFuzzer calls with bytes of its own and
 * replay.c with those of a corpus. A property that does not hold ends the process. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#define must_hold(condition)                                                               \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

#endif
