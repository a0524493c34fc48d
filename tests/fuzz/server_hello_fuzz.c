/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tls/fingerprint.h"
#include "tls/server_hello.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct server_hello hello;
    char ja3s[JA3_SIZE];
    if (!server_hello_parse(&hello, bytes, length))
        return 0;
    must_hold(hello.extensions.left == 0 ||
              (hello.extensions.at >= bytes &&
               hello.extensions.at + hello.extensions.left <= bytes + length));
    must_hold(fingerprint_ja3s(&hello, ja3s) && strlen(ja3s) == JA3_SIZE - 1);
    /* Of a part of it nothing is taken for the whole. */
    must_hold(!server_hello_parse(
        &hello, bytes, 4 + ((size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3]) - 1));
    return 0;
}
