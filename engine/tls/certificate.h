/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * certificate.h - what a certificate says, as text for records: in the forms of Suricata's `tls`
 * events. Pure functions; text from certificates is whatever their makers put there. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include "core/arena.h"

#include <openssl/x509.h>
#include <time.h>

#define FINGERPRINT_SIZE 60 /* 20 bytes as "aa:bb:…" and a NUL */
#define SHA256_TEXT_SIZE 65

/* Pointers into an arena; NULL where there is nothing. */
struct certificate_facts {
    const char *subject, *issuer;       /* "C=US, O=Example, CN=example.com" */
    const char *serial;                 /* "0A:1B:…" */
    const char *not_before, *not_after; /* "2026-11-23T12:00:00", UTC */
    const char *fingerprint;            /* SHA-1 */
    const char **names;                 /* DNS names and addresses of the SAN */
    size_t name_count;
};

/* Names beyond this many are left out. */
#define CERTIFICATE_NAMES_LIMIT 100

void certificate_describe(struct certificate_facts *facts, X509 *certificate, struct arena *arena);

/* SHA-1 with colons, as browsers show it. */
void certificate_fingerprint(const X509 *certificate, char text[static FINGERPRINT_SIZE]);
/* SHA-256 without. */
void certificate_sha256(const X509 *certificate, char text[static SHA256_TEXT_SIZE]);

/* Seconds since 1970; 0 if the time makes no sense. */
time_t certificate_time(const ASN1_TIME *time);

#endif
