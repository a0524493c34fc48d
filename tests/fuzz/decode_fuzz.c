/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tap/decode.h"

/* The first byte says which encoding it is. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char *const encodings[] = {"gzip", "deflate", "br", "zstd"};
    if (length == 0)
        return 0;
    const char *encoding = encodings[bytes[0] % ARRAY_SIZE(encodings)];
    uint8_t out[1000];
    size_t count = 0;
    enum decode_result result = decode_body(text_from(encoding, strlen(encoding)), bytes + 1,
                                            length - 1, out, sizeof(out), &count);
    must_hold(count <= sizeof(out));
    must_hold(result != DECODE_CUT || count == sizeof(out));
    must_hold(result != DECODE_FAILED || count == 0);
    return 0;
}
