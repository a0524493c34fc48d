/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tap/starttls.h"

#include <string.h>

/* A talk: what the device says and what the origin says, in turns, with a NUL behind each. */
struct talk {
    const uint8_t *bytes;
    size_t length;
};

static struct talk next_words(struct talk *talk)
{
    const uint8_t *end = talk->length > 0 ? memchr(talk->bytes, 0, talk->length) : NULL;
    struct talk words = {talk->bytes, end != NULL ? (size_t)(end - talk->bytes) : talk->length};
    size_t used = words.length + (end != NULL);
    talk->bytes += used;
    talk->length -= used;
    return words;
}

static size_t say(struct starttls *starttls, bool by_device, const uint8_t *bytes, size_t length)
{
    enum starttls_turn before = starttls->turn;
    size_t taken = by_device ? starttls_by_device(starttls, bytes, length)
                             : starttls_by_origin(starttls, bytes, length);
    must_hold(taken <= length);
    /* Nobody agrees alone, and nobody speaks for the other, nor when all is said. */
    must_hold(starttls->turn != STARTTLS_BEGINS || before == STARTTLS_BEGINS ||
              (before == STARTTLS_ASKED && !by_device && taken > 0));
    must_hold(!by_device || taken == 0 || before == STARTTLS_DEVICE);
    must_hold(taken == 0 || (before != STARTTLS_BEGINS && before != STARTTLS_OVER));
    return taken;
}

static size_t say_in_steps(struct starttls *starttls, bool by_device, struct talk words,
                           size_t step)
{
    size_t taken = 0;
    for (size_t end = step; end < words.length + step; end += step) {
        size_t seen = end < words.length ? end : words.length;
        taken += say(starttls, by_device, words.bytes + taken, seen - taken);
    }
    return taken;
}

/* However the bytes are cut, they mean the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    bool by_device = length > 0 && (bytes[0] & 1) != 0;
    if (length == 0)
        return 0;
    struct talk talk = {bytes + 1, length - 1}, words = next_words(&talk);
    struct starttls whole;
    if (!starttls_init(&whole, words.bytes, words.length, by_device))
        return 0;
    struct starttls cut = whole;
    size_t step = words.length / 16 + 1;
    for (; words.length > 0; words = next_words(&talk), by_device = !by_device) {
        size_t taken = say(&whole, by_device, words.bytes, words.length);
        size_t taken_cut = say_in_steps(&cut, by_device, words, step);
        must_hold(whole.turn == cut.turn);
        must_hold(whole.turn == STARTTLS_OVER || taken == taken_cut);
        must_hold(whole.name == cut.name);
    }
    return 0;
}
