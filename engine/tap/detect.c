/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/detect.h"

#include "core/reader.h"

struct sign {
    const char *start;
    const char *name;
};

static const struct sign from_client[] = {
    {"PRI * HTTP/2.0\r\n", "http2"},
    {"GET ", "http"},
    {"POST ", "http"},
    {"HEAD ", "http"},
    {"PUT ", "http"},
    {"DELETE ", "http"},
    {"OPTIONS ", "http"},
    {"CONNECT ", "http"},
    {"PATCH ", "http"},
    {"TRACE ", "http"},
    {"SSH-", "ssh"},
    {"EHLO ", "smtp"},
    {"HELO ", "smtp"},
    {"USER ", "ftp"}, /* of POP3 the greeting has told */
    {"AUTH TLS", "ftp"},
    {"\x16\x03", "tls"},
};

static const struct sign from_server[] = {
    {"SSH-", "ssh"},
    {"* OK", "imap"},
    {"* PREAUTH", "imap"},
    {"+OK", "pop3"},
};

static const char *find(const struct sign *signs, size_t count, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(signs[i].start);
        if (length >= size && memcmp(bytes, signs[i].start, size) == 0)
            return signs[i].name;
    }
    return NULL;
}

/* MQTT 3.1.1, 2.2.3 and 3.1: a CONNECT packet names the protocol behind its length, which is one to
 * four bytes long: all but the last have their highest bit set. */
static bool is_mqtt(const uint8_t *bytes, size_t length)
{
    size_t at = 1;
    if (length == 0 || bytes[0] != 0x10)
        return false;
    while (at < 4 && at < length && (bytes[at] & 0x80) != 0)
        at++;
    if (at == length || (bytes[at] & 0x80) != 0)
        return false;
    at++;
    return length >= at + 6 &&
           (memcmp(bytes + at, "\0\4MQTT", 6) == 0 || memcmp(bytes + at, "\0\6MQIs", 6) == 0);
}

/* RFC 1035, sections 4.1.1 and 4.2.2: the length of the message, and a query with one question, no
 * answers, and at most what EDNS, TSIG or a key add. */
static bool is_dns(const uint8_t *bytes, size_t length)
{
    struct reader reader = reader_of(bytes, length);
    uint16_t size = read_u16(&reader);
    (void)read_u16(&reader); /* its number */
    uint16_t flags = read_u16(&reader), questions = read_u16(&reader);
    bool no_answers = read_u16(&reader) == 0 && read_u16(&reader) == 0;
    uint16_t more = read_u16(&reader);
    return !reader.failed && size > 16 && (flags & 0xf80f) == 0 && questions == 1 && no_answers &&
           more <= 3;
}

/* SMTP (RFC 5321) and FTP (RFC 959) greet alike; their servers say which they are. */
static const char *find_greeting(const uint8_t *bytes, size_t length)
{
    if (length < 4 || memcmp(bytes, "220", 3) != 0)
        return NULL;
    if (memmem(bytes, length, "SMTP", 4) != NULL)
        return "smtp";
    return memmem(bytes, length, "FTP", 3) != NULL ? "ftp" : NULL;
}

static const char *find_by_client(const uint8_t *bytes, size_t length)
{
    const char *name = find(from_client, ARRAY_SIZE(from_client), bytes, length);
    if (name == NULL && is_mqtt(bytes, length))
        name = "mqtt";
    if (name == NULL && is_dns(bytes, length))
        name = "dns";
    return name;
}

static const char *find_by_server(const uint8_t *bytes, size_t length)
{
    const char *name = find_greeting(bytes, length);
    return name != NULL ? name : find(from_server, ARRAY_SIZE(from_server), bytes, length);
}

const char *detect_protocol(const uint8_t *bytes, size_t length, bool to_server)
{
    const char *name = to_server ? find_by_client(bytes, length) : find_by_server(bytes, length);
    return name != NULL ? name : "failed";
}

const char *detect_by_alpn(struct text alpn)
{
    /* "grpc-exp" is gRPC's own name for HTTP/2. */
    static const struct sign names[] = {
        {"h2", "http2"},      {"grpc-exp", "http2"}, {"http/1.1", "http"},
        {"http/1.0", "http"}, {"mqtt", "mqtt"},      {"dot", "dns"},
        {"imap", "imap"},     {"pop3", "pop3"},      {"ftp", "ftp"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (alpn.at != NULL && text_is(alpn, names[i].start))
            return names[i].name;
    return NULL;
}

const char *detect_by_port(uint16_t port)
{
    static const struct {
        uint16_t port;
        const char *name;
    } ports[] = {{25, "smtp"},  {465, "smtp"}, {587, "smtp"}, {21, "ftp"},
                 {990, "ftp"},  {143, "imap"}, {993, "imap"}, {110, "pop3"},
                 {995, "pop3"}, {853, "dns"},  {8883, "mqtt"}};
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        if (ports[i].port == port)
            return ports[i].name;
    return NULL;
}
