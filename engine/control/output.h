/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * output.h - bytes that a peer has still to take. All-zero is empty. */
#ifndef CONTROL_OUTPUT_H
#define CONTROL_OUTPUT_H

#include "core/macros.h"

#include <stdbool.h>

struct output {
    char *bytes;
    size_t start, end, size; /* from start to end is to be sent */
};

void output_fini(struct output *output);
size_t output_length(const struct output *output);

/* Copies them in. False if there is no memory. */
bool output_append(struct output *output, const char *bytes, size_t length) must_check;

/* Sends what the socket takes, and frees the memory when it has taken all. False with errno if the
 * peer is gone. */
bool output_send(struct output *output, int fd) must_check;

#endif
