/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/grpc.h"

bool grpc_is(struct text content_type)
{
    const size_t length = strlen("application/grpc");
    return text_starts_nocase(content_type, "application/grpc") &&
           (content_type.length == length || content_type.at[length] == '+' ||
            content_type.at[length] == ';');
}

void grpc_read(struct grpc *grpc, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t count = 1;
        if (grpc->left > 0) {
            count = grpc->left < length ? grpc->left : length;
            grpc->left -= (uint32_t)count;
        } else {
            grpc->prefix[grpc->prefix_length++] = *bytes;
        }
        if (grpc->prefix_length == sizeof(grpc->prefix)) {
            grpc->prefix_length = 0;
            grpc->messages++;
            grpc->left = (uint32_t)grpc->prefix[1] << 24 | (uint32_t)grpc->prefix[2] << 16 |
                         (uint32_t)grpc->prefix[3] << 8 | grpc->prefix[4];
        }
        bytes += count;
        length -= count;
    }
}

struct text grpc_message(struct text header, char *to)
{
    size_t length = 0;
    for (size_t i = 0; i < header.length && length < GRPC_MESSAGE; i++) {
        to[length] = header.at[i];
        if (header.at[i] == '%' && header.length - i > 2 && hex_pair(header.at + i + 1) >= 0) {
            to[length] = (char)hex_pair(header.at + i + 1);
            i += 2;
        }
        length++;
    }
    return header.at != NULL ? text_from(to, length) : header;
}
