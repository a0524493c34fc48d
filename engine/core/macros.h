/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * macros.h - the few macros that every file may use. */
#ifndef CORE_MACROS_H
#define CORE_MACROS_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The structure of type `type` whose member `member` is at `pointer`. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define must_check __attribute__((warn_unused_result))
#define printf_like(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))

/* A broken invariant ends the program, in release builds too: the kernel then takes our table
 * away and the router goes on routing. Never for anything that came from outside. */
#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                          \
        }                                                                                     \
    } while (0)

#endif
