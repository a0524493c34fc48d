/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>

/* OpenSSL's own rules are looser: it passes over blanks, and takes padding anywhere. */
static bool is_base64(const char *text, size_t length)
{
    size_t digits = length;
    while (digits > 0 && length - digits < 2 && text[digits - 1] == '=')
        digits--;
    for (size_t i = 0; i < digits; i++) {
        const char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/'))
            return false;
    }
    return length % 4 == 0 && length <= INT_MAX;
}

char *base64_decode(const char *text, size_t length, size_t *size)
{
    if (!is_base64(text, length))
        return NULL;
    char *bytes = malloc(length / 4 * 3 + 1);
    CHECK(bytes != NULL);
    int count = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text, (int)length);
    if (count < 0) {
        free(bytes);
        return NULL;
    }
    *size = (size_t)count;
    for (size_t i = length; i > 0 && text[i - 1] == '='; i--)
        --*size;
    bytes[*size] = '\0';
    return bytes;
}
