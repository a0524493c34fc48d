/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/replies.h"

/* "250 text", "250-text", "250"; 0 if it has none. */
static unsigned code_of(struct text line)
{
    unsigned code = 0;
    if (line.length < 3 || (line.length > 3 && line.at[3] != ' ' && line.at[3] != '-'))
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (line.at[i] < '0' || line.at[i] > '9')
            return 0;
        code = code * 10 + (unsigned)(line.at[i] - '0');
    }
    return code;
}

bool replies_read(struct replies *replies, struct text line, struct reply *reply)
{
    unsigned code = code_of(line);
    bool goes_on = line.length > 3 && line.at[3] == '-';
    if (!replies->in_reply) {
        if (code < 100)
            return false;
        replies->code = code;
    }
    bool is_own = code == replies->code;
    size_t start = !is_own ? 0 : line.length > 3 ? 4 : 3;
    *reply = (struct reply){.code = is_own ? code : 0,
                            .text = text_from(line.at + start, line.length - start),
                            .is_last = is_own && !goes_on};
    replies->in_reply = !reply->is_last;
    return true;
}
