/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/quic.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#define SECRET_SIZE 32
#define SALT_SIZE 20
#define TAG_SIZE 16
#define SAMPLE_SIZE 16
#define NUMBER_LIMIT 4 /* bytes of a packet number */

/* Packets of one datagram that are looked at. */
#define PACKETS_LIMIT 8

/* Also what the kernel gives us of a datagram at most, or of several that it has joined. */
#define PACKET_LIMIT 4096

enum packet_type { PACKET_INITIAL, PACKET_ZERO_RTT, PACKET_HANDSHAKE, PACKET_RETRY };

/* What versions differ in. */
struct version {
    uint32_t number;
    enum packet_type types[4]; /* by the two bits of the header */
    uint8_t salt[SALT_SIZE];
    const char *key_label, *iv_label, *header_label;
};

static const struct version versions[] = {
    {0x00000001, /* RFC 9000, section 17.2, and RFC 9001, section 5.2 */
     {PACKET_INITIAL, PACKET_ZERO_RTT, PACKET_HANDSHAKE, PACKET_RETRY},
     {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
     "quic key",
     "quic iv",
     "quic hp"},
    {0x6b3343cf, /* RFC 9369, section 3 */
     {PACKET_RETRY, PACKET_INITIAL, PACKET_ZERO_RTT, PACKET_HANDSHAKE},
     {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
     "quicv2 key",
     "quicv2 iv",
     "quicv2 hp"},
};

static const struct version *find_version(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        if (versions[i].number == number)
            return &versions[i];
    return NULL;
}

struct quic_reader {
    EVP_KDF_CTX *extract, *expand;
    EVP_CIPHER *header_cipher, *cipher;
    EVP_CIPHER_CTX *header, *payload;
    uint8_t plain[PACKET_LIMIT]; /* of one packet: its header, then its frames */
};

static EVP_KDF_CTX *fetch_kdf(const char *name)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    return context;
}

struct quic_reader *quic_reader_new(void)
{
    struct quic_reader *quic = calloc(1, sizeof(*quic));
    if (quic == NULL)
        return NULL;
    quic->extract = fetch_kdf(OSSL_KDF_NAME_HKDF);
    quic->expand = fetch_kdf(OSSL_KDF_NAME_TLS1_3_KDF);
    quic->header_cipher = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    quic->cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    quic->header = EVP_CIPHER_CTX_new();
    quic->payload = EVP_CIPHER_CTX_new();
    if (quic->extract == NULL || quic->expand == NULL || quic->header == NULL ||
        quic->payload == NULL || quic->header_cipher == NULL || quic->cipher == NULL) {
        quic_reader_free(quic);
        return NULL;
    }
    return quic;
}

void quic_reader_free(struct quic_reader *quic)
{
    if (quic == NULL)
        return;
    EVP_KDF_CTX_free(quic->extract);
    EVP_KDF_CTX_free(quic->expand);
    EVP_CIPHER_CTX_free(quic->header);
    EVP_CIPHER_CTX_free(quic->payload);
    EVP_CIPHER_free(quic->header_cipher);
    EVP_CIPHER_free(quic->cipher);
    free(quic);
}

/* ---- keys (RFC 9001, section 5) ---- */

static OSSL_PARAM text_param(const char *name, const char *text)
{
    return OSSL_PARAM_construct_utf8_string(name, (char *)text, 0);
}

static OSSL_PARAM bytes_param(const char *name, const void *bytes, size_t size)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)bytes, size);
}

static bool extract(struct quic_reader *quic, const struct version *version,
                    const struct quic_hello *hello, uint8_t secret[static SECRET_SIZE])
{
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        text_param(OSSL_KDF_PARAM_DIGEST, "SHA256"),
        bytes_param(OSSL_KDF_PARAM_SALT, version->salt, SALT_SIZE),
        bytes_param(OSSL_KDF_PARAM_KEY, hello->id, hello->id_length),
        OSSL_PARAM_construct_end(),
    };
    return EVP_KDF_derive(quic->extract, secret, SECRET_SIZE, params) == 1;
}

/* HKDF-Expand-Label of TLS 1.3, without a context (RFC 8446, section 7.1). */
static bool expand(struct quic_reader *quic, const uint8_t secret[static SECRET_SIZE],
                   const char *label, uint8_t *output, size_t size)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        text_param(OSSL_KDF_PARAM_DIGEST, "SHA256"),
        bytes_param(OSSL_KDF_PARAM_KEY, secret, SECRET_SIZE),
        bytes_param(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6),
        bytes_param(OSSL_KDF_PARAM_LABEL, label, strlen(label)),
        OSSL_PARAM_construct_end(),
    };
    return EVP_KDF_derive(quic->expand, output, size, params) == 1;
}

static bool derive_keys(struct quic_reader *quic, struct quic_hello *hello)
{
    const struct version *version = find_version(hello->version);
    struct quic_keys *keys = &hello->keys;
    uint8_t initial[SECRET_SIZE], client[SECRET_SIZE];
    return extract(quic, version, hello, initial) &&
           expand(quic, initial, "client in", client, sizeof(client)) &&
           expand(quic, client, version->key_label, keys->key, sizeof(keys->key)) &&
           expand(quic, client, version->iv_label, keys->iv, sizeof(keys->iv)) &&
           expand(quic, client, version->header_label, keys->header_key, sizeof(keys->header_key));
}

/* ---- packets (RFC 9000, section 17.2) ---- */

struct packet {
    const uint8_t *bytes;
    size_t length;
    const struct version *version;
    enum packet_type type;
    struct reader id; /* of whom it is addressed to */
    size_t number_at; /* where the protected packet number begins */
};

static bool is_long_header(uint8_t first)
{
    return (first & 0x80) != 0;
}

/* The part that all versions have in common (RFC 8999). */
static uint32_t read_common(struct reader *reader, struct reader *id)
{
    uint32_t version = read_number(reader, 4);
    *id = read_vector(reader, 1);
    struct reader source = read_vector(reader, 1);
    return reader->failed || id->left > QUIC_ID_LIMIT || source.left > QUIC_ID_LIMIT ? 0 : version;
}

uint32_t quic_version(const uint8_t *datagram, size_t length)
{
    struct reader reader = reader_of(datagram, length), id;
    if (length < QUIC_DATAGRAM_MINIMUM || !is_long_header(read_u8(&reader)))
        return 0;
    return read_common(&reader, &id);
}

static bool read_packet(struct packet *packet, const uint8_t *bytes, size_t length)
{
    struct reader reader = reader_of(bytes, length);
    uint8_t first = read_u8(&reader);
    if ((first & 0xc0) != 0xc0)
        return false;
    packet->bytes = bytes;
    packet->version = find_version(read_common(&reader, &packet->id));
    if (packet->version == NULL)
        return false;
    packet->type = packet->version->types[first >> 4 & 3];
    if (packet->type == PACKET_RETRY)
        return false;
    if (packet->type == PACKET_INITIAL)
        (void)read_part(&reader, (size_t)read_varint(&reader)); /* a token */
    size_t rest = (size_t)read_varint(&reader);
    packet->number_at = (size_t)(reader.at - bytes);
    (void)read_part(&reader, rest);
    packet->length = packet->number_at + rest;
    return !reader.failed;
}

/* Removes the header's protection: the header, with the packet number at its end, is then in
 * `plain`. Returns its length; 0 if there is none (RFC 9001, section 5.4). */
static size_t open_header(struct quic_reader *quic, const struct quic_keys *keys,
                          const struct packet *packet)
{
    uint8_t *header = quic->plain, mask[SAMPLE_SIZE];
    const size_t number_at = packet->number_at;
    int length;
    if (packet->length - number_at < NUMBER_LIMIT + SAMPLE_SIZE || packet->length > PACKET_LIMIT)
        return 0;
    if (EVP_EncryptInit_ex2(quic->header, quic->header_cipher, keys->header_key, NULL, NULL) != 1 ||
        EVP_EncryptUpdate(quic->header, mask, &length, packet->bytes + number_at + NUMBER_LIMIT,
                          SAMPLE_SIZE) != 1)
        return 0;
    memcpy(header, packet->bytes, number_at + NUMBER_LIMIT);
    header[0] ^= mask[0] & 0x0f;
    size_t number_length = (header[0] & 3u) + 1;
    for (size_t i = 0; i < number_length; i++)
        header[number_at + i] ^= mask[1 + i];
    return number_at + number_length;
}

/* The packet number is what the header has of it: a client's first ones are small. */
static void make_nonce(const struct quic_keys *keys, const uint8_t *number, size_t number_length,
                       uint8_t nonce[static QUIC_IV_SIZE])
{
    memcpy(nonce, keys->iv, QUIC_IV_SIZE);
    for (size_t i = 0; i < number_length; i++)
        nonce[QUIC_IV_SIZE - number_length + i] ^= number[i];
}

/* The frames of an Initial packet, in `plain`; their length, or 0 if it is not what the client has
 * sent (RFC 9001, section 5.3). */
static size_t open_initial(struct quic_reader *quic, const struct quic_keys *keys,
                           const struct packet *packet, const uint8_t **frames)
{
    uint8_t nonce[QUIC_IV_SIZE];
    int length, ignored;
    size_t header_length = open_header(quic, keys, packet);
    size_t sealed = packet->length - header_length;
    if (header_length == 0 || sealed <= TAG_SIZE)
        return 0;
    const uint8_t *tag = packet->bytes + packet->length - TAG_SIZE;
    uint8_t *plain = quic->plain + header_length;
    make_nonce(keys, quic->plain + packet->number_at, header_length - packet->number_at, nonce);
    if (EVP_DecryptInit_ex2(quic->payload, quic->cipher, keys->key, nonce, NULL) != 1 ||
        EVP_DecryptUpdate(quic->payload, NULL, &ignored, quic->plain, (int)header_length) != 1 ||
        EVP_DecryptUpdate(quic->payload, plain, &length, packet->bytes + header_length,
                          (int)(sealed - TAG_SIZE)) != 1 ||
        EVP_CIPHER_CTX_ctrl(quic->payload, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, (void *)tag) != 1 ||
        EVP_DecryptFinal_ex(quic->payload, plain + length, &ignored) != 1)
        return 0;
    *frames = plain;
    return (size_t)length;
}

static bool is_addressed_to(const struct quic_hello *hello, struct reader id)
{
    return hello->id_length == id.left && (id.left == 0 || memcmp(hello->id, id.at, id.left) == 0);
}

/* All Initial packets of a connection attempt have the same keys. */
static bool is_of_connection(struct quic_reader *quic, struct quic_hello *hello,
                             const struct packet *packet)
{
    const struct reader id = packet->id;
    if (hello->version != 0)
        return hello->version == packet->version->number && is_addressed_to(hello, id);
    hello->version = packet->version->number;
    hello->id_length = id.left;
    for (size_t i = 0; i < id.left; i++)
        hello->id[i] = id.at[i];
    if (!derive_keys(quic, hello))
        hello->broken = true;
    return !hello->broken;
}

/* A server looks over what it cannot open, and so do we. */
static void read_initial(struct quic_reader *quic, struct quic_hello *hello,
                         const struct packet *packet)
{
    const uint8_t *frames;
    if (!is_of_connection(quic, hello, packet))
        return;
    size_t length = open_initial(quic, &hello->keys, packet, &frames);
    if (length == 0)
        return;
    hello->begun = true;
    if (!crypto_stream_read(&hello->stream, frames, length))
        hello->broken = true;
}

enum quic_result quic_read(struct quic_reader *quic, struct quic_hello *hello,
                           const uint8_t *datagram, size_t length)
{
    struct packet packet;
    size_t at = 0;
    for (size_t i = 0; i < PACKETS_LIMIT && length >= QUIC_DATAGRAM_MINIMUM && !hello->broken;
         i++) {
        if (!read_packet(&packet, datagram + at, length - at))
            break;
        if (packet.type == PACKET_INITIAL)
            read_initial(quic, hello, &packet);
        else if (packet.type == PACKET_ZERO_RTT) /* the Initial has been overtaken */
            hello->begun = true;
        at += packet.length;
    }
    if (hello->broken)
        return QUIC_NONE;
    if (crypto_stream_message(&hello->stream) > 0)
        return QUIC_COMPLETE;
    return hello->begun ? QUIC_MORE : QUIC_NONE;
}
