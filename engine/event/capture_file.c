/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/capture_file.h"

#include "core/file.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/version.h"
#include "event/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)256 << 10)

struct capture_file {
    struct packet_sink sink;
    struct capture_file_options options; /* with copies of its texts */
    char path[PATH_MAX];
    int fd;            /* -1: it has ended, */
    const char *ended; /* for this reason */
    uint64_t start;    /* ms since 1970 */
    uint64_t written;
    size_t length, packets; /* in the buffer */
    unsigned char buffer[BUFFER_SIZE];
};

/* ---- writing ---- */

static void close_file(struct capture_file *file, const char *why)
{
    close(file->fd);
    file->fd = -1;
    file->ended = why;
    file->sink.over = true;
    log_info("capture %s has ended: %s; %llu packets of %llu connections, %llu lost", file->path,
             why, (unsigned long long)file->sink.packets, (unsigned long long)file->sink.flows,
             (unsigned long long)file->sink.lost);
}

/* Half a block at the end would make the file look broken: it is taken away again. */
static void fail(struct capture_file *file)
{
    log_warning("%s: %m", file->path);
    (void)!ftruncate(file->fd, (off_t)file->written);
    file->sink.packets -= file->packets;
    file->sink.lost += file->packets;
    file->length = file->packets = 0;
    close_file(file, "it could not be written");
}

static void flush(struct packet_sink *sink)
{
    struct capture_file *file = container_of(sink, struct capture_file, sink);
    size_t at = 0;
    while (file->fd >= 0 && at < file->length) {
        ssize_t count = write(file->fd, file->buffer + at, file->length - at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            fail(file);
            return;
        }
        at += (size_t)count;
    }
    file->written += file->length;
    file->length = file->packets = 0;
}

/* Room for a block of that size in the buffer; NULL if the file has ended. */
static unsigned char *make_room(struct capture_file *file, size_t size)
{
    const uint64_t total = file->written + file->length + size + PCAPNG_STATISTICS_SIZE;
    if (file->fd >= 0 && total > file->options.limit)
        capture_file_end(file, "it is as long as it may be");
    if (file->fd >= 0 && file->length + size > BUFFER_SIZE)
        flush(&file->sink);
    return file->fd >= 0 ? file->buffer + file->length : NULL;
}

static void put(struct packet_sink *sink, const struct captured *captured,
                const struct frame *frame)
{
    struct capture_file *file = container_of(sink, struct capture_file, sink);
    unsigned char *room = make_room(file, pcapng_packet_size(frame, captured->comment_length));
    if (room == NULL) {
        sink->lost++;
        return;
    }
    file->length += pcapng_packet(room, frame, captured->comment, captured->comment_length);
    file->packets++;
    sink->packets++;
}

static bool wants(struct packet_sink *sink, const struct captured *captured)
{
    const struct capture_file *file = container_of(sink, struct capture_file, sink);
    const struct capture_file_options *options = &file->options;
    return options->filter == NULL ||
           options->matches(options->filter, captured->event, captured->event_length);
}

static const struct packet_sink_kind kind = {.wants = wants, .put = put, .flush = flush};

/* ---- beginning and ending ---- */

static char *copy_text(const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    CHECK(text == NULL || copy != NULL);
    return copy;
}

/* Whatever lies there under this name already, a link too, is somebody's. */
static bool open_file(struct capture_file *file)
{
    const int size = snprintf(file->path, sizeof(file->path), "%s/%s", file->options.directory,
                              file->options.name);
    if (size < 0 || (size_t)size >= sizeof(file->path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (!file_make_parents(file->path, 0700))
        return false;
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return file->fd >= 0;
}

struct capture_file *capture_file_new(const struct capture_file_options *options)
{
    struct capture_file *file = calloc(1, sizeof(*file));
    CHECK(file != NULL);
    file->sink.kind = &kind;
    file->fd = -1;
    file->options = *options;
    file->options.directory = copy_text(options->directory);
    file->options.name = copy_text(options->name);
    file->options.filter_text = copy_text(options->filter_text);
    file->start = clock_wall() / (CLOCK_SECOND / 1000);
    if (open_file(file)) {
        file->length = pcapng_head(file->buffer, "interceptd " INTERCEPTD_VERSION);
        flush(&file->sink);
        if (!capture_file_has_ended(file))
            return file;
    }
    const int error = errno;
    capture_file_free(file);
    errno = error;
    return NULL;
}

void capture_file_end(struct capture_file *file, const char *why)
{
    if (file->fd < 0)
        return;
    if (file->length + PCAPNG_STATISTICS_SIZE > BUFFER_SIZE)
        flush(&file->sink);
    if (file->fd < 0)
        return;
    const uint64_t lost = file->sink.lost;
    file->length += pcapng_statistics(file->buffer + file->length, clock_wall(),
                                      file->sink.packets + lost, lost);
    flush(&file->sink);
    if (file->fd >= 0)
        close_file(file, why);
}

void capture_file_free(struct capture_file *file)
{
    capture_file_end(file, "it was stopped");
    if (file->options.filter != NULL)
        file->options.free_filter(file->options.filter);
    free((char *)file->options.directory);
    free((char *)file->options.name);
    free((char *)file->options.filter_text);
    free(file);
}

/* ---- telling ---- */

struct packet_sink *capture_file_sink(struct capture_file *file)
{
    return &file->sink;
}

const char *capture_file_name(const struct capture_file *file)
{
    return file->options.name;
}

bool capture_file_has_ended(const struct capture_file *file)
{
    return file->fd < 0;
}

void capture_file_write(const struct capture_file *file, struct jsonw *json)
{
    jsonw_object(json, NULL);
    jsonw_string(json, "file", file->path);
    jsonw_string(json, "filter", file->options.filter_text);
    jsonw_string(json, "state", file->fd >= 0 ? "running" : "ended");
    jsonw_string(json, "ended", file->ended);
    jsonw_uint(json, "start", file->start / 1000);
    jsonw_uint(json, "connections", file->sink.flows);
    jsonw_uint(json, "packets", file->sink.packets);
    jsonw_uint(json, "bytes", file->written + file->length);
    jsonw_uint(json, "limit", file->options.limit);
    jsonw_uint(json, "lost", file->sink.lost);
    jsonw_object_end(json);
}
