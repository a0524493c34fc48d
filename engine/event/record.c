/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/record.h"

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
