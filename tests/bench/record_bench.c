/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What it costs to read a small HTTP exchange on a connection that is kept, and to hand its record
 * to the recorder: of the thread that has the connection, without the bytes' own way. */
#include "core/loop.h"
#include "event/eve_message.h"
#include "tap/tap.h"

#include <nghttp2/nghttp2.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 50
#define BATCH 200 /* as many records as the recorder's ring holds easily */
#define ROUNDS 5
#define DRAIN_TIME 30000 /* in us: for the recorder to write them, and to fall asleep */
#define FRAME_HEADER 9

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- what is spoken: as h2load first asks, and nginx answers, over and over ---- */

struct bytes {
    uint8_t at[1024];
    size_t length;
};

struct dialogue {
    const char *protocol;
    struct bytes hello_up, hello_down; /* once */
    struct bytes request, response;
    uint32_t stream; /* of HTTP/2's next request; 0: it is HTTP/1 */
};

static void add(struct bytes *bytes, const void *more, size_t length)
{
    CHECK(length <= sizeof(bytes->at) - bytes->length);
    memcpy(bytes->at + bytes->length, more, length);
    bytes->length += length;
}

static struct dialogue http1(void)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: 192.0.2.1\r\n"
                                  "user-agent: h2load nghttp2/1.52.0\r\n\r\n";
    static const char response[] =
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 29 Nov 2026 03:00:00 GMT\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 6\r\n"
        "Last-Modified: Sun, 29 Nov 2026 02:00:00 GMT\r\nConnection: keep-alive\r\n"
        "ETag: \"656d1b2f-6\"\r\nAccept-Ranges: bytes\r\n\r\nhello\n";
    struct dialogue made = {.protocol = "http/1.1"};
    add(&made.request, request, sizeof(request) - 1);
    add(&made.response, response, sizeof(response) - 1);
    return made;
}

static void add_frame(struct bytes *bytes, uint8_t type, uint8_t flags, const void *payload,
                      size_t length)
{
    const uint8_t header[FRAME_HEADER] = {0, (uint8_t)(length >> 8), (uint8_t)length, type, flags};
    add(bytes, header, sizeof(header));
    add(bytes, payload, length);
}

static void add_headers(struct bytes *bytes, uint8_t flags, const char *const (*fields)[2],
                        size_t count)
{
    nghttp2_hd_deflater *deflater;
    nghttp2_nv headers[16];
    uint8_t block[512];
    CHECK(count <= ARRAY_SIZE(headers) && nghttp2_hd_deflate_new(&deflater, 0) == 0);
    for (size_t i = 0; i < count; i++)
        headers[i] = (nghttp2_nv){(uint8_t *)fields[i][0], (uint8_t *)fields[i][1],
                                  strlen(fields[i][0]), strlen(fields[i][1]), NGHTTP2_NV_FLAG_NONE};
    ssize_t length = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), headers, count);
    CHECK(length > 0);
    nghttp2_hd_deflate_del(deflater);
    add_frame(bytes, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, block, (size_t)length);
}

static struct dialogue http2(void)
{
    static const char *const asked[][2] = {{":method", "GET"},
                                           {":scheme", "https"},
                                           {":authority", "192.0.2.1"},
                                           {":path", "/hello"},
                                           {"user-agent", "h2load nghttp2/1.52.0"}};
    static const char *const told[][2] = {{":status", "200"},
                                          {"server", "nginx/1.22.1"},
                                          {"date", "Sun, 29 Nov 2026 03:00:00 GMT"},
                                          {"content-type", "application/octet-stream"},
                                          {"content-length", "6"},
                                          {"last-modified", "Sun, 29 Nov 2026 02:00:00 GMT"},
                                          {"etag", "\"656d1b2f-6\""},
                                          {"accept-ranges", "bytes"}};
    struct dialogue made = {.protocol = "h2", .stream = 1};
    add(&made.hello_up, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    add_frame(&made.hello_up, NGHTTP2_SETTINGS, 0, "", 0);
    add_frame(&made.hello_down, NGHTTP2_SETTINGS, 0, "", 0);
    add_headers(&made.request, NGHTTP2_FLAG_END_STREAM, asked, ARRAY_SIZE(asked));
    add_headers(&made.response, 0, told, ARRAY_SIZE(told));
    add_frame(&made.response, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, "hello\n", 6);
    return made;
}

/* In all frames of a message. */
static void number_frames(struct bytes *bytes, uint32_t stream)
{
    for (size_t at = 0; at < bytes->length;) {
        const uint8_t number[] = {(uint8_t)(stream >> 24), (uint8_t)(stream >> 16),
                                  (uint8_t)(stream >> 8), (uint8_t)stream};
        memcpy(bytes->at + at + 5, number, sizeof(number));
        at += FRAME_HEADER + ((size_t)bytes->at[at + 1] << 8 | bytes->at[at + 2]);
    }
}

/* ---- who reads it, and tells ---- */

struct writer {
    struct recorder_feed *feed;
    struct record record;
};

static void tell(void *context, const struct message *message)
{
    const struct writer *writer = context;
    eve_message_write(writer->feed, &writer->record, message);
}

static void read_bytes(struct tap *tap, bool to_server, const struct bytes *bytes)
{
    if (bytes->length > 0)
        tap_read(tap, to_server, bytes->at, bytes->length, clock_ms());
}

static void exchange(struct tap *tap, struct dialogue *dialogue)
{
    if (dialogue->stream != 0) {
        number_frames(&dialogue->request, dialogue->stream);
        number_frames(&dialogue->response, dialogue->stream);
        dialogue->stream += 2;
    }
    read_bytes(tap, true, &dialogue->request);
    read_bytes(tap, false, &dialogue->response);
}

static double measure(struct writer *writer, struct dialogue dialogue)
{
    struct arena arena = {0};
    struct tap tap = {0};
    const struct tap_options options = {0};
    tap_init(&tap, &options, &arena, text_from(dialogue.protocol, strlen(dialogue.protocol)), 443);
    tap_listen(&tap, tell, writer);
    writer->record.head = eve_make_head(&writer->record, &arena);
    read_bytes(&tap, true, &dialogue.hello_up);
    read_bytes(&tap, false, &dialogue.hello_down);
    double took = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        double start = seconds();
        for (int i = 0; i < BATCH; i++)
            exchange(&tap, &dialogue);
        took += seconds() - start;
        usleep(DRAIN_TIME);
    }
    CHECK(tap.number == (uint64_t)BATCHES * BATCH && tap.reason[0] == '\0');
    tap_fini(&tap, clock_ms());
    arena_fini(&arena);
    return took / BATCHES / BATCH * 1e9;
}

int main(void)
{
    static const struct recorder_paths paths = {.events = "/dev/null"};
    struct recorder *recorder = recorder_start(&paths, 1);
    CHECK(recorder != NULL);
    struct flow flow = {.protocol = IPPROTO_TCP, .has_mac = true};
    CHECK(address_parse(&flow.device, "10.77.1.7:50012") &&
          address_parse(&flow.origin, "192.0.2.1:443"));
    struct writer writer = {.feed = recorder_feed(recorder),
                            .record = {.flow = &flow, .flow_id = record_new_flow_id()}};
    writer.record.app_proto = "tls";
    writer.record.client.version = "TLS 1.3";
    double best[2] = {1e9, 1e9};
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 2; i++) {
            double found = measure(&writer, i == 0 ? http1() : http2());
            best[i] = found < best[i] ? found : best[i];
        }
    printf("an exchange is read, and its record handed over: HTTP/1.1 %.0f ns, HTTP/2 %.0f ns\n",
           best[0], best[1]);
    CHECK(recorder_dropped(recorder) == 0);
    recorder_stop(recorder);
    return 0;
}
