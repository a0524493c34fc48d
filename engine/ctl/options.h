/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * options.h - what the command line says beside the command. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "ctl/client.h"

#define ASKED_NAMES_LIMIT 16
#define OPTIONS_SOCKET "/run/interceptd/control.sock" /* unless another is given */

struct options {
    struct client client;
    bool json;
    const char *config; /* explain -c */
    const char *store;  /* the file that is read; NULL: the daemon's */
    const char *names[ASKED_NAMES_LIMIT];
    size_t name_count;
    const char *device, *note, *time; /* NULL: not given */
    bool persist, cut, follow;
    json_int_t revision; /* that a change is for; -1: any */
    json_int_t limit;    /* of a list; 0: as the daemon likes */
};

/* Tells what is wrong with the command line, and how to find out more. Returns STATUS_USAGE. */
enum status options_complain(const char *what, const char *argument);

/* The arguments of a request with what every edit may be told, and "device". */
json_t *options_arguments(const struct options *options);

/* Asks, and prints the data: as one JSON document, or with `print`. */
enum status options_show(const struct options *options, const char *command, json_t *arguments,
                         void (*print)(const json_t *data)) must_check;

/* Asks for a change, and prints what has become of what, and how to take it back. */
enum status options_change(const struct options *options, const char *command,
                           json_t *arguments) must_check;

/* For whoever has an answer to a change already. */
void options_show_change(const struct options *options, const json_t *data);

#endif
