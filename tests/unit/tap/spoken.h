/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spoken.h - a dialogue of lines, each with "> " in front if the client says it, or "< " if the
 * server does; and what a tap has to tell of it, however it is cut into pieces. */
#ifndef TESTS_SPOKEN_H
#define TESTS_SPOKEN_H

#include "listening.h"

struct spoken {
    const char *protocol;
    bool greets; /* else TLS has begun in the midst of it */
    bool keep;   /* credentials */
    const char *said;
};

/* Lines that follow each other on one side are said at once. */
static char *hear_spoken(const struct spoken *spoken, size_t cut)
{
    struct listening listening = {0};
    const struct tap_options options = {.keep_credentials = spoken->keep};
    const char *at = spoken->said;
    char *piece = malloc(2 * strlen(at) + 1);
    CHECK(piece != NULL);
    listen_start(&listening, &options, "", 1);
    if (spoken->greets)
        listening.tap->protocol = spoken->protocol;
    else
        tap_upgraded(listening.tap, spoken->protocol);
    while (*at != '\0') {
        char side = *at;
        size_t length = 0;
        while (*at == side) {
            const char *end = strchr(at, '\n');
            memcpy(piece + length, at + 2, (size_t)(end - at) - 2);
            length += (size_t)(end - at) - 2;
            piece[length++] = '\r';
            piece[length++] = '\n';
            at = end + 1;
        }
        listen_to(&listening, side == '>', piece, length, cut);
    }
    free(piece);
    listen_end(&listening);
    return listening.told;
}

static void assert_spoken(const struct spoken *spoken, const char *expected)
{
    for (size_t cut = 1; cut < 10000; cut = cut * 3 + 1) {
        char *told = hear_spoken(spoken, cut);
        assert_string_equal(told, expected);
        free(told);
    }
}

#endif
