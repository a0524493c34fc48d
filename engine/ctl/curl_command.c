/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/curl_command.h"

#include "policy/http_event.h"

#include <ctype.h>

/* The command on its way: memory that grows. */
struct shell {
    FILE *out;
    const json_t *event;
    bool has_body;
    struct http_event_body body;
};

/* ---- quoting ---- */

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static bool has_control(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (is_control(text.at[i]))
            return true;
    return false;
}

/* In $'...' backslashes mean something. */
static void quote(FILE *out, struct text text)
{
    const bool escaped = has_control(text);
    fputs(escaped ? "$'" : "'", out);
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.at[i];
        if (escaped && (is_control(c) || c == '\'' || c == '\\'))
            fprintf(out, "\\%03o", (unsigned)(unsigned char)c);
        else if (c == '\'')
            fputs("'\\''", out);
        else
            putc(c, out);
    }
    putc('\'', out);
}

static void add_option(struct shell *shell, const char *option, struct text value)
{
    fprintf(shell->out, " \\\n  %s ", option);
    quote(shell->out, value);
}

/* For printf(1): a word holds no NUL, and not every shell has bytes that are no text. */
static void print_bytes(FILE *out, const struct http_event_body *body)
{
    fputs("printf '", out);
    for (size_t i = 0; i < body->length; i++) {
        const char c = body->bytes[i];
        if (isalnum((unsigned char)c) || strchr(" .,:;/?=&+-_@()[]{}<>\"", c) != NULL)
            fprintf(out, c == '\0' ? "\\000" : "%c", c);
        else
            fprintf(out, "\\%03o", (unsigned)(unsigned char)c);
    }
    fputs("' | ", out);
}

/* ---- the body ---- */

static bool is_plain(const struct http_event_body *body)
{
    json_t *text = json_stringn(body->bytes, body->length);
    const bool is_text = text != NULL && !has_control(text_from(body->bytes, body->length));
    json_decref(text);
    return is_text;
}

/* ---- headers ---- */

static struct text request_header(const struct shell *shell, const char *name)
{
    return http_event_header(shell->event, HTTP_REQUEST, name);
}

/* What curl makes by itself out of the URL and the body; and those of HTTP/2 that are no headers.
 */
static bool is_made(const struct shell *shell, struct text name, struct text value)
{
    if (name.length == 0 || name.at[0] == ':')
        return true;
    if (text_is_nocase(name, "content-length"))
        return shell->has_body;
    if (text_is_nocase(name, "content-encoding")) /* it was undone */
        return shell->has_body && !shell->body.encoded;
    if (!text_is_nocase(name, "host"))
        return false;
    const struct text host = event_text(shell->event, "http.hostname");
    return host.at != NULL && text_starts_nocase(value, host.at);
}

static void add_header(struct shell *shell, struct text name, struct text value)
{
    char *line = NULL;
    /* curl takes "Name:" for "without it", and "Name;" for one that is empty. */
    int length = value.length > 0 ? asprintf(&line, "%s: %s", name.at, value.at)
                                  : asprintf(&line, "%s;", name.at);
    CHECK(length >= 0);
    add_option(shell, "-H", text_from(line, (size_t)length));
    free(line);
}

/* Those that curl would add. */
static void leave_out(struct shell *shell)
{
    if (request_header(shell, "user-agent").at == NULL)
        fputs(" \\\n  -H 'User-Agent:'", shell->out);
    if (request_header(shell, "accept").at == NULL)
        fputs(" \\\n  -H 'Accept:'", shell->out);
    if (shell->has_body && request_header(shell, "content-type").at == NULL)
        fputs(" \\\n  -H 'Content-Type:'", shell->out);
}

static void add_headers(struct shell *shell)
{
    const json_t *headers = http_event_headers(shell->event, HTTP_REQUEST), *header;
    size_t index;
    json_array_foreach(headers, index, header)
    {
        const struct text name = event_text(header, "name"), value = event_text(header, "value");
        if (name.at != NULL && value.at != NULL && !is_made(shell, name, value))
            add_header(shell, name, value);
    }
    if (headers != NULL)
        leave_out(shell);
    /* What was asked for is what we ask for; what comes is to be read. */
    if (request_header(shell, "accept-encoding").length > 0)
        fputs(" \\\n  --compressed", shell->out);
}

/* ---- the command ---- */

static void add_method(struct shell *shell)
{
    const struct text method = event_text(shell->event, "http.http_method");
    const char *usual = shell->has_body ? "POST" : "GET";
    if (method.at == NULL || text_is(method, usual))
        return;
    if (text_is(method, "HEAD") && !shell->has_body)
        fputs(" \\\n  --head", shell->out);
    else
        add_option(shell, "-X", method);
}

static void add_version(struct shell *shell)
{
    static const struct {
        const char *protocol, *option;
    } versions[] = {{"HTTP/1.0", "--http1.0"}, {"HTTP/1.1", "--http1.1"}, {"HTTP/2", "--http2"}};
    const struct text protocol = event_text(shell->event, "http.protocol");
    for (size_t i = 0; protocol.at != NULL && i < ARRAY_SIZE(versions); i++)
        if (text_is(protocol, versions[i].protocol))
            fprintf(shell->out, " %s", versions[i].option);
}

/* Where the device went to another port than the one that it named. */
static void add_port(struct shell *shell)
{
    const json_t *named = event_value(shell->event, "http.http_port");
    const json_t *port = event_value(shell->event, "dest_port");
    const json_int_t usual = strcmp(http_event_scheme(shell->event), "https") == 0 ? 443 : 80;
    const json_int_t asked = json_is_integer(named) ? json_integer_value(named) : usual;
    if (json_is_integer(port) && json_integer_value(port) != asked)
        fprintf(shell->out, " --connect-to :::%" JSON_INTEGER_FORMAT, json_integer_value(port));
}

/* curl would take the dots out of paths, and lists and ranges out of brackets. */
static void add_url(struct shell *shell, const char *url)
{
    const struct text target = event_text(shell->event, "http.url");
    if (strstr(url, "/.") != NULL)
        fputs(" --path-as-is", shell->out);
    if (strpbrk(url, "[]{}") != NULL)
        fputs(" --globoff", shell->out);
    putc(' ', shell->out);
    quote(shell->out, text_from(url, strlen(url)));
    if (target.length > 0 && target.at[0] != '/')
        add_option(shell, "--request-target", target);
}

static void write_command(struct shell *shell, const char *url)
{
    const bool is_piped = shell->has_body && !is_plain(&shell->body);
    if (is_piped)
        print_bytes(shell->out, &shell->body);
    fputs("curl", shell->out);
    add_version(shell);
    add_port(shell);
    add_url(shell, url);
    add_method(shell);
    add_headers(shell);
    if (is_piped)
        fputs(" \\\n  --data-binary @-", shell->out);
    else if (shell->has_body)
        add_option(shell, "--data-raw", text_from(shell->body.bytes, shell->body.length));
    putc('\n', shell->out);
}

/* What redact.c has put in the place of a credential, which stands for it alone. */
static bool is_redacted(const json_t *event, const char *url)
{
    const json_t *headers = http_event_headers(event, HTTP_REQUEST), *header;
    size_t index;
    json_array_foreach(headers, index, header)
    {
        const struct text value = event_text(header, "value");
        if (value.at != NULL && strstr(value.at, "(redacted)") != NULL)
            return true;
    }
    return strstr(url, "(redacted)") != NULL;
}

struct curl_command curl_command_make(const json_t *event)
{
    struct curl_command command = {0};
    struct shell shell = {.event = event};
    size_t size;
    char *url = http_event_url(event);
    if (url == NULL)
        return command;
    const json_int_t length =
        json_integer_value(event_value(event, "intercept.http.request_length"));
    const bool is_kept = http_event_body(event, HTTP_REQUEST, &shell.body);
    shell.has_body = is_kept && shell.body.length > 0;
    command.redacted = is_redacted(event, url);
    command.headers_cut = json_is_true(event_value(event, "intercept.http.headers_cut")) ||
                          http_event_headers(event, HTTP_REQUEST) == NULL;
    command.body_missing = length > 0 && (!is_kept || shell.body.cut);
    shell.out = open_memstream(&command.text, &size);
    CHECK(shell.out != NULL);
    write_command(&shell, url);
    CHECK(fclose(shell.out) == 0);
    free(shell.body.bytes);
    free(url);
    return command;
}
