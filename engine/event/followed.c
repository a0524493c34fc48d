/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/followed.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define RING_SIZE ((size_t)1 << 20)

bool followed_init(struct followed *followed)
{
    *followed = (struct followed){.news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    return followed->news >= 0;
}

void followed_fini(struct followed *followed)
{
    ring_fini(&followed->ring);
    if (followed->news >= 0)
        close(followed->news);
}

bool followed_begin(struct followed *followed)
{
    size_t length;
    uint64_t lost;
    if (followed->ring.bytes == NULL && !ring_init(&followed->ring, RING_SIZE))
        return false;
    while (followed_next(followed, &length, &lost) != NULL)
        followed_taken(followed);
    return true;
}

void followed_put(struct followed *followed, const char *line, size_t length)
{
    if (!ring_put(&followed->ring, 0, line, length))
        atomic_fetch_add(&followed->lost, 1);
    followed->put = true;
}

void followed_tell(struct followed *followed)
{
    const uint64_t one = 1;
    if (followed->put && atomic_exchange(&followed->asleep, false))
        (void)!write(followed->news, &one, sizeof(one));
    followed->put = false;
}

const char *followed_next(struct followed *followed, size_t *length, uint64_t *lost)
{
    uint32_t tag;
    const char *line = ring_peek(&followed->ring, &tag, length);
    if (line == NULL) {
        uint64_t count;
        (void)!read(followed->news, &count, sizeof(count));
        /* Whoever puts a line from here on tells us; what was put before is there to be seen. */
        (void)atomic_exchange(&followed->asleep, true);
        line = ring_peek(&followed->ring, &tag, length);
    }
    *lost = line == NULL ? atomic_exchange(&followed->lost, 0) : 0;
    return line;
}

void followed_taken(struct followed *followed)
{
    ring_consume(&followed->ring);
}
