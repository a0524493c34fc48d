/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * quic_seal.h - makes a client's Initial packets, right and wrong: the other way round, with
 * nothing of the engine's. cmocka.h must be included before. */
#ifndef TESTS_TLS_QUIC_SEAL_H
#define TESTS_TLS_QUIC_SEAL_H

#include "hello_bytes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define QUIC_V1 0x00000001u
#define QUIC_V2 0x6b3343cfu

struct seal {
    uint32_t version;
    const char *id; /* whom it is addressed to: 8 bytes */
    const char *token;
    uint8_t type;          /* the two bits of an Initial packet's header, as in version 1 */
    uint32_t number;       /* of the packet, */
    uint8_t number_length; /* in so many bytes */
};

static inline void hmac(const void *key, size_t key_length, const void *data, size_t length,
                        uint8_t output[static 32])
{
    unsigned size;
    assert_non_null(HMAC(EVP_sha256(), key, (int)key_length, data, length, output, &size));
}

/* HKDF-Expand-Label (RFC 8446, section 7.1) of up to 32 bytes. */
static inline void expand_label(const uint8_t secret[static 32], const char *label, uint8_t size,
                                uint8_t *output)
{
    uint8_t info[64], block[32];
    size_t length = (size_t)snprintf((char *)info + 3, sizeof(info) - 3, "tls13 %s", label);
    info[0] = 0;
    info[1] = size;
    info[2] = (uint8_t)length;
    info[3 + length] = 0;
    info[4 + length] = 1;
    hmac(secret, 32, info, length + 5, block);
    memcpy(output, block, size);
}

struct seal_keys {
    uint8_t key[16], iv[12], header[16];
};

static inline void seal_keys_derive(struct seal_keys *keys, const struct seal *seal)
{
    static const uint8_t salts[2][20] = {
        {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
         0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
        {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
         0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9}};
    const bool v2 = seal->version == QUIC_V2;
    uint8_t initial[32], client[32];
    hmac(salts[v2], 20, seal->id, 8, initial);
    expand_label(initial, "client in", 32, client);
    expand_label(client, v2 ? "quicv2 key" : "quic key", 16, keys->key);
    expand_label(client, v2 ? "quicv2 iv" : "quic iv", 12, keys->iv);
    expand_label(client, v2 ? "quicv2 hp" : "quic hp", 16, keys->header);
}

static inline void put_varint(struct bytes *bytes, size_t number)
{
    if (number < 64)
        put_number(bytes, number, 1);
    else if (number < 16384)
        put_number(bytes, number | 0x4000, 2);
    else
        put_number(bytes, number | 0x80000000, 4);
}

static inline void put_crypto(struct bytes *frames, const struct bytes *message, size_t offset,
                              size_t length)
{
    put_varint(frames, 6);
    put_varint(frames, offset);
    put_varint(frames, length);
    put(frames, message->at + offset, length);
}

static inline void seal_header(struct bytes *out, size_t start, size_t number_at,
                               const struct seal_keys *keys, uint8_t number_length)
{
    uint8_t mask[32];
    int length;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit(context, EVP_aes_128_ecb(), keys->header, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(context, mask, &length, out->at + number_at + 4, 16), 1);
    EVP_CIPHER_CTX_free(context);
    out->at[start] ^= mask[0] & 0x0f;
    for (size_t i = 0; i < number_length; i++)
        out->at[number_at + i] ^= mask[1 + i];
}

/* One packet, behind what is there already. */
static inline void put_packet(struct bytes *out, const struct seal *seal,
                              const struct bytes *frames)
{
    struct seal_keys keys;
    uint8_t tag[16];
    int length;
    const uint8_t number_length = seal->number_length > 0 ? seal->number_length : 1;
    const unsigned type = (seal->type + (seal->version == QUIC_V2 ? 1u : 0u)) & 3;
    const char *token = seal->token != NULL ? seal->token : "";
    const size_t start = out->length;
    seal_keys_derive(&keys, seal);
    put_number(out, 0xc0 | type << 4 | (number_length - 1u), 1);
    put_number(out, seal->version, 4);
    put_number(out, 8, 1);
    put(out, seal->id, 8);
    put_number(out, 0, 1);
    if (seal->type == 0) {
        put_varint(out, strlen(token));
        put(out, token, strlen(token));
    }
    put_varint(out, number_length + frames->length + 16);
    const size_t number_at = out->length;
    put_number(out, seal->number, number_length);
    for (size_t i = 0; i < 4; i++)
        keys.iv[8 + i] ^= (uint8_t)(seal->number >> 8 * (3 - i));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit(context, EVP_aes_128_gcm(), keys.key, keys.iv), 1);
    assert_int_equal(
        EVP_EncryptUpdate(context, NULL, &length, out->at + start, (int)(out->length - start)), 1);
    const size_t payload = out->length;
    put(out, frames->at, frames->length);
    assert_int_equal(
        EVP_EncryptUpdate(context, out->at + payload, &length, frames->at, (int)frames->length), 1);
    assert_int_equal(EVP_EncryptFinal(context, out->at + payload + length, &length), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag), 1);
    EVP_CIPHER_CTX_free(context);
    put(out, tag, 16);
    seal_header(out, start, number_at, &keys, number_length);
}

#endif
