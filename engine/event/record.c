/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/record.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

/* Suricata's flow ids fit a JavaScript number. */
#define FLOW_ID_MASK UINT64_C(0x7ffffffffffff)

uint64_t record_new_flow_id(void)
{
    static _Thread_local uint64_t numbers[32];
    static _Thread_local size_t left;
    uint64_t id = 0;
    while (id == 0) {
        if (left == 0) {
            CHECK(getrandom(numbers, sizeof(numbers), 0) == (ssize_t)sizeof(numbers));
            left = ARRAY_SIZE(numbers);
        }
        id = numbers[--left] & FLOW_ID_MASK;
    }
    return id;
}

static uint8_t secret[16];

static void make_secret(void)
{
    CHECK(getrandom(secret, sizeof(secret), 0) == (ssize_t)sizeof(secret));
}

static void put(uint8_t **at, const void *bytes, size_t length)
{
    memcpy(*at, bytes, length);
    *at += length;
}

/* One block of SHA-256. All messages are equally long, so a secret in front makes it a keyed hash.
 */
uint64_t record_flow_id(const struct flow *flow)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    const uint8_t kind[2] = {(uint8_t)flow->origin.family, flow->protocol};
    uint8_t message[sizeof(secret) + sizeof(kind) + 2 * (sizeof(flow->origin.ip) + 2)] = {0};
    uint8_t *at = message;
    uint64_t id;
    pthread_once(&once, make_secret);
    put(&at, secret, sizeof(secret));
    put(&at, kind, sizeof(kind));
    put(&at, &flow->device.port, sizeof(flow->device.port));
    put(&at, &flow->origin.port, sizeof(flow->origin.port));
    put(&at, &flow->device.ip, address_ip_size(&flow->device));
    put(&at, &flow->origin.ip, address_ip_size(&flow->origin));
    CHECK(SHA256(message, sizeof(message), digest) != NULL);
    memcpy(&id, digest, sizeof(id));
    id &= FLOW_ID_MASK;
    return id != 0 ? id : 1;
}
