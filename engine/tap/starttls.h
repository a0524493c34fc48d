/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * starttls.h - the plaintext dialogue of protocols in which TLS begins later: SMTP (RFC 3207), IMAP
 * (RFC 9051, section 6.2.1), POP3 (RFC 2595, section 4), FTP (RFC 4217) and XMPP (RFC 6120, 5).
 *
 * It goes by turns: one command, then its answer. What is said out of turn has to wait, so no
 * answer is ever taken for that of another command, and what was sent in plaintext behind the
 * command that begins TLS, or behind its answer, is known to be there. Pure functions of untrusted
 * bytes that keep none of them: only whole lines, or XML tags, are taken; the rest is shown again.
 */
#ifndef TAP_STARTTLS_H
#define TAP_STARTTLS_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest line, or tag. */
#define STARTTLS_UNIT_LIMIT 4096
#define STARTTLS_TAG_LIMIT 32

enum starttls_turn {
    STARTTLS_ORIGIN, /* the origin's: it greets, or answers */
    STARTTLS_DEVICE, /* the device's: its next command */
    STARTTLS_ASKED,  /* the origin's: TLS has been asked for */
    STARTTLS_BEGINS, /* and it has agreed: nothing more is plaintext */
    STARTTLS_OVER,   /* the dialogue is none that leads to TLS, or none that is understood */
};

struct starttls {
    enum starttls_turn turn;
    const char *name; /* the protocol as Suricata calls it, or NULL while that is not known */
    const struct starttls_dialogue *dialogue; /* how it is read; NULL before the greeting */
    bool greeted;                             /* the first line of all has been seen */
    bool asked;          /* for TLS, and nothing has come in plaintext from the device since */
    const char *yes;     /* the reply code that lets TLS begin */
    char code[3];        /* of a reply that goes on over several lines, */
    bool in_reply;       /* in which we are */
    bool lists, in_list; /* POP3: the answer is a list; we are in it */
    bool in_element;     /* XMPP: between start and end of what matters */
    uint8_t tag[STARTTLS_TAG_LIMIT]; /* IMAP: of the command */
    size_t tag_length;
};

/* The connection's first bytes, of which there may be more to come. False if no dialogue starts
 * like this: the origin with a greeting, or the device with an XML stream, or with a command that
 * could have waited for the greeting. */
bool starttls_init(struct starttls *starttls, const uint8_t *bytes, size_t length,
                   bool by_device) must_check;

/* What a side has said, from the first byte that was not taken yet. Returns how many are taken now:
 * they may go on to the other side. Look at `turn` afterwards. */
size_t starttls_by_device(struct starttls *starttls, const uint8_t *bytes, size_t length);
size_t starttls_by_origin(struct starttls *starttls, const uint8_t *bytes, size_t length);

#endif
