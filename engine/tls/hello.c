/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/hello.h"

#include <string.h>

#define RECORD_HANDSHAKE 22
#define RECORD_HEADER_SIZE 5
#define RECORD_LIMIT 16384
#define HANDSHAKE_CLIENT_HELLO 1
#define HANDSHAKE_HEADER_SIZE 4
#define VERSION_TLS_1_2 0x0303
#define VERSION_TLS_1_3 0x0304

/* Joins the content of handshake records until the message is whole. */
static enum hello_result join_records(struct hello *hello, const uint8_t *bytes, size_t length,
                                      uint8_t *message, size_t *message_length)
{
    size_t at = 0, joined = 0;
    size_t want = HANDSHAKE_HEADER_SIZE;
    while (joined < want) {
        if (at + RECORD_HEADER_SIZE > HELLO_WIRE_LIMIT)
            return HELLO_BROKEN;
        if (length - at >= 1 && bytes[at] != RECORD_HANDSHAKE)
            return at == 0 ? HELLO_NOT_TLS : HELLO_BROKEN;
        if (length - at >= 2 && bytes[at + 1] != 3)
            return at == 0 ? HELLO_NOT_TLS : HELLO_BROKEN;
        if (length - at < RECORD_HEADER_SIZE) {
            hello->need = at + RECORD_HEADER_SIZE;
            return HELLO_MORE;
        }
        size_t size = (size_t)bytes[at + 3] << 8 | bytes[at + 4];
        if (size == 0 || size > RECORD_LIMIT || joined + size > HELLO_LIMIT)
            return HELLO_BROKEN;
        if (at == 0 && length > RECORD_HEADER_SIZE &&
            bytes[RECORD_HEADER_SIZE] != HANDSHAKE_CLIENT_HELLO)
            return HELLO_NOT_TLS;
        if (length - at < RECORD_HEADER_SIZE + size) {
            hello->need = at + RECORD_HEADER_SIZE + size;
            return hello->need > HELLO_WIRE_LIMIT ? HELLO_BROKEN : HELLO_MORE;
        }
        memcpy(message + joined, bytes + at + RECORD_HEADER_SIZE, size);
        joined += size;
        at += RECORD_HEADER_SIZE + size;
        if (joined >= HANDSHAKE_HEADER_SIZE) {
            size_t body = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];
            want = HANDSHAKE_HEADER_SIZE + body;
            if (want > HELLO_LIMIT)
                return HELLO_BROKEN;
        }
    }
    *message_length = want;
    return HELLO_COMPLETE;
}

/* A host name (RFC 6066, section 3). What no host could be called is taken for "no name". */
static void parse_server_name(struct hello *hello, struct reader content)
{
    hello->has_sni = true;
    struct reader list = read_vector(&content, 2);
    while (list.left > 0 && !list.failed) {
        uint8_t type = read_u8(&list);
        struct reader name = read_vector(&list, 2);
        if (list.failed || type != 0)
            continue;
        if (name.left == 0 || name.left >= sizeof(hello->name))
            return;
        for (size_t i = 0; i < name.left; i++)
            if (name.at[i] <= ' ' || name.at[i] >= 0x7f)
                return;
        memcpy(hello->name, name.at, name.left);
        hello->name[name.left] = '\0';
        return;
    }
}

static void parse_extension(struct hello *hello, uint16_t type, struct reader content)
{
    switch (type) {
    case EXTENSION_SERVER_NAME:
        parse_server_name(hello, content);
        break;
    case EXTENSION_GROUPS:
        hello->groups = read_vector(&content, 2);
        break;
    case EXTENSION_POINT_FORMATS:
        hello->point_formats = read_vector(&content, 1);
        break;
    case EXTENSION_SIGNATURES:
        hello->signatures = read_vector(&content, 2);
        break;
    case EXTENSION_ALPN:
        hello->has_alpn = true;
        hello->alpn = read_vector(&content, 2);
        break;
    case EXTENSION_VERSIONS:
        hello->versions = read_vector(&content, 1);
        break;
    case EXTENSION_ECH:
        hello->has_ech = true;
        break;
    }
}

bool hello_list_has(struct reader list, uint16_t wanted)
{
    while (list.left >= 2)
        if (read_u16(&list) == wanted)
            return true;
    return false;
}

static uint16_t highest_version(const struct hello *hello)
{
    uint16_t highest = 0;
    struct reader versions = hello->versions;
    while (versions.left >= 2) {
        uint16_t version = read_u16(&versions);
        if (version <= VERSION_TLS_1_3 && version > highest)
            highest = version;
    }
    if (highest != 0)
        return highest;
    /* Without the extension nobody offers more than 1.2 (RFC 8446, section 4.2.1). */
    return hello->legacy_version > VERSION_TLS_1_2 ? VERSION_TLS_1_2 : hello->legacy_version;
}

enum hello_result hello_parse_message(struct hello *hello, const uint8_t *message, size_t length)
{
    *hello = (struct hello){0};
    struct reader reader = reader_of(message, length);
    (void)read_part(&reader, HANDSHAKE_HEADER_SIZE);
    hello->legacy_version = read_u16(&reader);
    (void)read_part(&reader, 32);  /* random */
    (void)read_vector(&reader, 1); /* session id */
    hello->ciphers = read_vector(&reader, 2);
    (void)read_vector(&reader, 1); /* compression methods */
    if (reader.failed || hello->legacy_version >> 8 != 3)
        return HELLO_BROKEN;
    if (reader.left > 0)
        hello->extensions = read_vector(&reader, 2);
    struct reader extensions = hello->extensions;
    while (extensions.left > 0) {
        uint16_t type = read_u16(&extensions);
        struct reader content = read_vector(&extensions, 2);
        if (extensions.failed)
            return HELLO_BROKEN;
        parse_extension(hello, type, content);
    }
    if (reader.failed)
        return HELLO_BROKEN;
    hello->max_version = highest_version(hello);
    return HELLO_COMPLETE;
}

enum hello_result hello_parse(struct hello *hello, const uint8_t *bytes, size_t length,
                              uint8_t message[static HELLO_LIMIT])
{
    size_t message_length;
    *hello = (struct hello){0};
    enum hello_result result = join_records(hello, bytes, length, message, &message_length);
    if (result != HELLO_COMPLETE)
        return result;
    return hello_parse_message(hello, message, message_length);
}

static bool offers_ecdsa_cipher(const struct hello *hello)
{
    /* The ECDHE_ECDSA suites that OpenSSL has. */
    static const uint16_t suites[] = {0xc02b, 0xc02c, 0xcca9, 0xc023, 0xc024, 0xc009,
                                      0xc00a, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af};
    for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
        if (hello_list_has(hello->ciphers, suites[i]))
            return true;
    return false;
}

bool hello_takes_ecdsa(const struct hello *hello, uint16_t version)
{
    const uint16_t ecdsa_secp256r1_sha256 = 0x0403, secp256r1 = 23;
    return hello_list_has(hello->signatures, ecdsa_secp256r1_sha256) &&
           hello_list_has(hello->groups, secp256r1) &&
           (version >= VERSION_TLS_1_3 || offers_ecdsa_cipher(hello));
}
