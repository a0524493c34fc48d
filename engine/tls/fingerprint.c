/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/fingerprint.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define VALUES_LIMIT 512
#define HASH_TEXT_SIZE 13

struct values {
    size_t count;
    uint16_t items[VALUES_LIMIT];
};

static void add_value(struct values *values, uint16_t value)
{
    if (!is_grease(value) && values->count < VALUES_LIMIT)
        values->items[values->count++] = value;
}

static struct values values_of(struct reader list)
{
    struct values values = {0};
    while (list.left >= 2)
        add_value(&values, read_u16(&list));
    return values;
}

static struct values extension_types(struct reader extensions)
{
    struct values types = {0};
    while (extensions.left > 0 && !extensions.failed) {
        uint16_t type = read_u16(&extensions);
        (void)read_vector(&extensions, 2);
        add_value(&types, type);
    }
    return types;
}

static int compare_values(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* ---- JA4 ---- */

/* "002f,0035,009c": lower-case hexadecimal, commas between. */
static size_t join(const struct values *values, char *text)
{
    size_t length = 0;
    for (size_t i = 0; i < values->count; i++)
        length += (size_t)sprintf(text + length, i > 0 ? ",%04x" : "%04x", values->items[i]);
    return length;
}

/* The first twelve digits of SHA-256; all zeros for nothing. */
static void hash_text(const char *text, size_t length, char hash[static HASH_TEXT_SIZE])
{
    unsigned char digest[SHA256_DIGEST_LENGTH] = {0};
    if (length > 0)
        SHA256((const unsigned char *)text, length, digest);
    for (size_t i = 0; i < 6; i++)
        sprintf(hash + 2 * i, "%02x", digest[i]);
}

static const char *version_text(uint16_t version)
{
    switch (version) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    default:
        return "00";
    }
}

/* The first and the last character of the first protocol; in hexadecimal if they are no letters or
 * digits. */
static void alpn_text(const struct hello *hello, char text[static 3])
{
    struct reader list = hello->alpn;
    struct reader first = read_vector(&list, 1);
    strcpy(text, "00");
    if (first.left == 0)
        return;
    uint8_t head = first.at[0], tail = first.at[first.left - 1];
    if (isalnum(head) && isalnum(tail)) {
        text[0] = (char)head;
        text[1] = (char)tail;
    } else {
        text[0] = "0123456789abcdef"[head >> 4];
        text[1] = "0123456789abcdef"[tail & 15];
    }
}

static unsigned at_most_99(size_t count)
{
    return count > 99 ? 99 : (unsigned)count;
}

void fingerprint_ja4(const struct hello *hello, char text[static JA4_SIZE])
{
    char joined[2 * VALUES_LIMIT * 5];
    char cipher_hash[HASH_TEXT_SIZE], extension_hash[HASH_TEXT_SIZE], alpn[3];
    struct values ciphers = values_of(hello->ciphers);
    struct values types = extension_types(hello->extensions);
    struct values signatures = values_of(hello->signatures);
    size_t type_count = types.count;

    qsort(ciphers.items, ciphers.count, sizeof(ciphers.items[0]), compare_values);
    hash_text(joined, join(&ciphers, joined), cipher_hash);

    /* The name and the protocols differ from host to host: they are not hashed. */
    struct values hashed = {0};
    for (size_t i = 0; i < types.count; i++)
        if (types.items[i] != EXTENSION_SERVER_NAME && types.items[i] != EXTENSION_ALPN)
            add_value(&hashed, types.items[i]);
    qsort(hashed.items, hashed.count, sizeof(hashed.items[0]), compare_values);
    size_t length = join(&hashed, joined);
    if (length > 0 && signatures.count > 0) {
        joined[length++] = '_';
        length += join(&signatures, joined + length);
    }
    hash_text(joined, length, extension_hash);

    alpn_text(hello, alpn);
    snprintf(text, JA4_SIZE, "t%s%c%02u%02u%s_%s_%s", version_text(hello->max_version),
             hello->has_sni ? 'd' : 'i', at_most_99(ciphers.count), at_most_99(type_count), alpn,
             cipher_hash, extension_hash);
}

/* ---- JA3 ---- */

#define JA3_TEXT_SIZE (16 + 4 * VALUES_LIMIT * 6)

/* ",4865-4866": a comma, then decimal numbers with hyphens between. */
static size_t join_decimals(const struct values *values, char *text)
{
    size_t length = (size_t)sprintf(text, ",");
    for (size_t i = 0; i < values->count; i++)
        length += (size_t)sprintf(text + length, i > 0 ? "-%u" : "%u", values->items[i]);
    return length;
}

static struct values point_formats(struct reader list)
{
    struct values formats = {0};
    while (list.left > 0 && formats.count < VALUES_LIMIT)
        formats.items[formats.count++] = read_u8(&list);
    return formats;
}

/* The MD5, in hexadecimal. */
static bool hash_ja3(const char *joined, size_t length, char text[static JA3_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_Q_digest(NULL, "MD5", NULL, joined, length, digest, &length))
        return false;
    for (size_t i = 0; i < length; i++)
        sprintf(text + 2 * i, "%02x", digest[i]);
    return true;
}

bool fingerprint_ja3(const struct hello *hello, char text[static JA3_SIZE])
{
    const struct values parts[] = {values_of(hello->ciphers), extension_types(hello->extensions),
                                   values_of(hello->groups), point_formats(hello->point_formats)};
    char joined[JA3_TEXT_SIZE];
    size_t length = (size_t)sprintf(joined, "%u", hello->legacy_version);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        length += join_decimals(&parts[i], joined + length);
    return hash_ja3(joined, length, text);
}

bool fingerprint_ja3s(const struct server_hello *hello, char text[static JA3_SIZE])
{
    const struct values types = extension_types(hello->extensions);
    char joined[JA3_TEXT_SIZE];
    size_t length = (size_t)sprintf(joined, "%u,%u", hello->legacy_version, hello->cipher);
    length += join_decimals(&types, joined + length);
    return hash_ja3(joined, length, text);
}
