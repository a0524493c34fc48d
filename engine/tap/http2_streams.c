/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http2_streams.h"

#include "tap/http2_tap.h"

/* A client's streams have odd numbers. */
static size_t bucket_of(uint32_t stream)
{
    return (stream >> 1) % HTTP2_BUCKETS;
}

struct exchange *http2_streams_find(const struct http2_streams *streams, uint32_t stream)
{
    struct exchange *exchange = streams->buckets[bucket_of(stream)];
    while (exchange != NULL && exchange->stream != stream)
        exchange = exchange->next;
    return exchange;
}

static struct exchange *find_oldest(const struct http2_streams *streams)
{
    struct exchange *oldest = NULL;
    for (size_t i = 0; i < HTTP2_BUCKETS; i++)
        for (struct exchange *at = streams->buckets[i]; at != NULL; at = at->next)
            if (oldest == NULL || at->number < oldest->number)
                oldest = at;
    return oldest;
}

struct exchange *http2_streams_too_many(const struct http2_streams *streams)
{
    return streams->count == HTTP2_STREAMS ? find_oldest(streams) : NULL;
}

struct exchange *http2_streams_open(struct http2_streams *streams, uint32_t stream)
{
    struct exchange *exchange = exchange_new(streams->tap, "http2", 20);
    if (exchange == NULL) {
        streams->tap->untold++;
        return NULL;
    }
    struct exchange **bucket = &streams->buckets[bucket_of(stream)];
    exchange->stream = stream;
    exchange->next = *bucket;
    *bucket = exchange;
    streams->count++;
    return exchange;
}

void http2_streams_tell(struct http2_streams *streams, struct exchange *exchange)
{
    struct exchange **at = &streams->buckets[bucket_of(exchange->stream)];
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    streams->count--;
    exchange_tell(exchange);
    exchange_free(exchange);
}

void http2_streams_fini(struct http2_streams *streams)
{
    while (streams->count > 0)
        http2_streams_tell(streams, find_oldest(streams));
}
