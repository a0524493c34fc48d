/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mail.h - what SMTP says of a mail before it is sent (RFC 5321, section 3.3): who sends it to
 * whom. Untrusted texts; bounded, as part of a reader's state. */
#ifndef TAP_MAIL_H
#define TAP_MAIL_H

#include "core/message.h"

#define MAIL_RECIPIENTS 32
#define MAIL_TEXT 2048
#define MAIL_HELO 256

/* All-zero: nothing is known. What is known lies in here, so it cannot be moved. */
struct mail {
    struct spoken_mail said;
    struct text recipients[MAIL_RECIPIENTS];
    size_t length; /* of the text */
    char helo[MAIL_HELO], text[MAIL_TEXT];
};

/* From "FROM:<a@b> SIZE=3" the path "<a@b>", with its brackets; else, as there are such clients,
 * the word behind the colon. */
struct text mail_path(struct text argument);

/* The arguments of the commands, in their order. */
void mail_greet(struct mail *mail, struct text name);
void mail_begin(struct mail *mail, struct text path);
void mail_add(struct mail *mail, struct text path);

/* The last recipient was refused. */
void mail_refuse(struct mail *mail);

/* The mail was sent, or given up; who greets stays. */
void mail_clear(struct mail *mail);

#endif
