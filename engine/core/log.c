/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static atomic_int shown_level = LOG_LEVEL_INFO;
static _Thread_local log_sink *redirected;
static _Thread_local void *redirected_context;

/* The journal reads "<N>" at the start of a line as a syslog priority (sd-daemon(3)). */
static const char *const priority[] = {"<3>", "<4>", "<6>", "<7>"};
static const char *const prefix[] = {"error: ", "warning: ", "", ""};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&shown_level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&shown_level, memory_order_relaxed);
}

static const char *const names[] = {[LOG_LEVEL_ERROR] = "error",
                                    [LOG_LEVEL_WARNING] = "warning",
                                    [LOG_LEVEL_INFO] = "info",
                                    [LOG_LEVEL_VERBOSE] = "verbose"};

const char *log_level_name(enum log_level level)
{
    return names[level];
}

bool log_level_find(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

bool log_shows(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&shown_level, memory_order_relaxed);
}

void log_redirect(log_sink *sink, void *context)
{
    redirected = sink;
    redirected_context = context;
}

static bool to_journal(void)
{
    static atomic_int known = -1;
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer < 0) {
        answer = getenv("JOURNAL_STREAM") != NULL;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer != 0;
}

/* Appends `text` to the line with control characters written as \xNN. */
static size_t append_escaped(char *line, size_t at, size_t size, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (; *text != '\0' && at + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            line[at++] = (char)c;
        } else {
            line[at++] = '\\';
            line[at++] = 'x';
            line[at++] = digits[c >> 4];
            line[at++] = digits[c & 15];
        }
    }
    return at;
}

static void write_line(enum log_level level, const char *format, va_list arguments)
{
    if (!log_shows(level))
        return;
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + 64];
    vsnprintf(text, sizeof(text), format, arguments);

    size_t at = 0;
    if (to_journal())
        at = append_escaped(line, at, sizeof(line), priority[level]);
    at = append_escaped(line, at, sizeof(line), prefix[level]);
    at = append_escaped(line, at, sizeof(line) - 1, text);
    line[at++] = '\n';
    if (redirected != NULL)
        redirected(redirected_context, line, at);
    else /* nobody is left to be told when this fails */
        (void)!write(STDERR_FILENO, line, at);
}

#define DEFINE_LOG(name, level)               \
    void name(const char *format, ...)        \
    {                                         \
        va_list arguments;                    \
        va_start(arguments, format);          \
        write_line(level, format, arguments); \
        va_end(arguments);                    \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_verbose, LOG_LEVEL_VERBOSE)
