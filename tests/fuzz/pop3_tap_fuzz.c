/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    talk_check(&(struct talk_start){.protocol = "pop3"}, bytes, length);
    return 0;
}
