/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * text.h - the daemon's values as text for people. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>
#include <stdint.h>

/* "" if it is not there. */
const char *text_of(const json_t *object, const char *key);

/* 0 if it is not there. */
uint64_t text_number(const json_t *object, const char *key);

/* Prints text from elsewhere, which must not steer the terminal. */
void text_print(const char *text);

/* "59m 12s". Returns `text`. */
const char *text_duration(uint64_t seconds, char text[static 24]);

/* "192.0.2.1:443" or "[2001:db8::1]:443". Returns `text`. */
const char *text_endpoint(const char *address, uint64_t port, char text[static 64]);

/* The name that an event's connection is to; "" if it is not known. */
const char *text_event_host(const json_t *event);

#endif
