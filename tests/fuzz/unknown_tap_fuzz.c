/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "talk.h"

/* Behind a start that nobody knows. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char start[] = "................................................................";
    talk_check(&(struct talk_start){.alpn = "", .said = {start}}, bytes, length);
    return 0;
}
