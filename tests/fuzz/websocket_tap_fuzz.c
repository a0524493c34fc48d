/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "talk.h"

#define REQUEST "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
#define RESPONSE                                                                        \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    talk_check(&(struct talk_start){.alpn = "http/1.1", .said = {REQUEST, RESPONSE}}, bytes,
               length);
    return 0;
}
