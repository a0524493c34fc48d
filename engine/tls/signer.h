/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * signer.h - the process that holds our CA's key, and signs leaves with it.
 *
 * It is forked before this process gives up its rights: a *keeper*, which does nothing but start
 * the signer again, should it end; and the *signer*, which reads the key, gives up every right and
 * every system call that it does not need, and answers requests (tls/signing.h). It can open no
 * file and no socket. Both end with this process. */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include "tls/signing.h"

struct signer_options {
    const char *path;                    /* the CA's file; see authority_open() */
    const NAME_CONSTRAINTS *constraints; /* which names it may sign; NULL: those of the CA alone */
    size_t channel_count;
};

struct signer {
    STACK_OF(X509) * certificates;             /* the CA's, and those above it; owned */
    unsigned char digest[SIGNING_DIGEST_SIZE]; /* of the CA's certificate, for requests */
    bool made;                                 /* the CA is new */
    int *channels; /* non-blocking, `channel_count` of them, for one thread each; owned */
    size_t channel_count;
};

/* To be called while this process has one thread. False after the reason was logged;
 * signer_fini() then, too. */
bool signer_start(struct signer *signer, const struct signer_options *options) must_check;

/* Closes the channels, and so ends the processes. */
void signer_fini(struct signer *signer);

#endif
