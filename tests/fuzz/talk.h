/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * talk.h - an input as a conversation: a byte of options, then pieces, each with a byte that tells
 * its direction, two that tell its length, and what is said. A tap that hears it has to tell the
 * same however the pieces are cut, to keep its memory within the limit, and to give all of it back.
 */
#ifndef TESTS_FUZZ_TALK_H
#define TESTS_FUZZ_TALK_H

#include "../unit/tap/listening.h"
#include "fuzz.h"

struct talk_start {
    const char *alpn;     /* or NULL: */
    const char *protocol; /* with or without a greeting, by another bit of the options */
    const char *said[2];  /* to the server, to the client: in front of all else; or NULL */
};

static char *talk_hear(const struct talk_start *start, const uint8_t *bytes, size_t length,
                       size_t piece)
{
    const struct tap_options options = {.bodies = (bytes[0] & 1) != 0 ? 100 : 0,
                                        .keep_credentials = (bytes[0] & 2) != 0};
    struct listening listening = {.headers = true};
    listen_start(&listening, &options, start->alpn != NULL ? start->alpn : "", 443);
    if (start->protocol != NULL && (bytes[0] & 4) != 0)
        tap_upgraded(listening.tap, start->protocol);
    else if (start->protocol != NULL)
        listening.tap->protocol = start->protocol;
    for (int i = 0; i < 2 && start->said[i] != NULL; i++)
        listen_to(&listening, i == 0, start->said[i], strlen(start->said[i]), piece);
    for (size_t at = 1; at + 3 <= length;) {
        bool to_server = (bytes[at] & 1) != 0;
        size_t count = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
        at += 3;
        count = count < length - at ? count : length - at;
        listen_to(&listening, to_server, bytes + at, count, piece);
        at += count;
    }
    tap_end(listening.tap, true, 1500);
    tap_end(listening.tap, false, 1500);
    listen_end(&listening);
    return listening.told;
}

static void talk_check(const struct talk_start *start, const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return;
    char *whole = talk_hear(start, bytes, length, length);
    char *cut = talk_hear(start, bytes, length, length / 64 + 1);
    must_hold(strcmp(whole, cut) == 0);
    free(whole);
    free(cut);
}

#endif
