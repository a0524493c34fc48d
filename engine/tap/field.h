/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * field.h - what the name of an HTTP header stands for (RFC 9110, section 5.1). A pure function of
 * untrusted bytes. */
#ifndef TAP_FIELD_H
#define TAP_FIELD_H

#include "core/message.h"

/* In any case of its letters. */
enum http_field field_of(struct text name);

/* True if its value is a URL, in which there may be credentials. */
bool field_is_url(enum http_field field);

#endif
