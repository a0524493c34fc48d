/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/mtls.h"

#include "tls/digest.h"

#include <string.h>

/* The device's port is another one each time. */
static bool digest_flow(const struct flow *flow, unsigned char out[static DIGEST_SIZE])
{
    struct address device = flow->device;
    struct digest digest;
    device.port = 0;
    digest_init(&digest);
    digest_address(&digest, &device);
    digest_address(&digest, &flow->origin);
    digest_text(&digest, flow->sni);
    return digest_final(&digest, out);
}

static size_t set_of(const unsigned char *digest)
{
    return ((size_t)digest[DIGEST_SIZE - 2] << 8 | digest[DIGEST_SIZE - 1]) % MTLS_SETS;
}

static bool is_about(const struct mtls_entry *entry, const unsigned char *digest)
{
    return entry->until > 0 && memcmp(entry->digest, digest, sizeof(entry->digest)) == 0;
}

void mtls_remember(struct mtls *mtls, const struct flow *flow, uint64_t now)
{
    unsigned char digest[DIGEST_SIZE];
    if (!digest_flow(flow, digest))
        return;
    struct mtls_entry *set = mtls->sets[set_of(digest)], *oldest = set;
    for (size_t i = 0; i < MTLS_WAYS; i++) {
        if (is_about(&set[i], digest)) {
            oldest = &set[i];
            break;
        }
        if (set[i].until < oldest->until)
            oldest = &set[i];
    }
    memcpy(oldest->digest, digest, sizeof(oldest->digest));
    oldest->until = now + MTLS_TIME;
}

bool mtls_knows(const struct mtls *mtls, const struct flow *flow, uint64_t now)
{
    unsigned char digest[DIGEST_SIZE];
    if (!digest_flow(flow, digest))
        return false;
    const struct mtls_entry *set = mtls->sets[set_of(digest)];
    for (size_t i = 0; i < MTLS_WAYS; i++)
        if (is_about(&set[i], digest))
            return set[i].until > now;
    return false;
}
