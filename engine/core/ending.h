/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ending.h - how a connection ended: a name for records, a sentence for people, and what they can
 * do about it.
 *
 * ENDING(symbol, name, sentence, advice); no advice where there is nothing to be done. */
#ifndef CORE_ENDING_H
#define CORE_ENDING_H

#define ENDINGS                                                                                  \
    ENDING(NONE, "open", "the connection is still open", "")                                     \
    ENDING(CLOSED, "closed", "both sides closed the connection", "")                             \
    ENDING(DEVICE_GONE, "device_gone", "the device left before the connection was set up",       \
           "if only this app does it, try to ignore the destination")                            \
    ENDING(DEVICE_NO_DATA, "device_no_data",                                                     \
           "the device closed after the handshake, without having sent data",                    \
           "install our CA on the device; if it is there, the app is pinned: ignore the "        \
           "destination")                                                                        \
    ENDING(DEVICE_RESET, "device_reset", "the device reset the connection", "")                  \
    ENDING(DEVICE_ALERT, "device_alert", "the device refused our handshake with a TLS alert",    \
           "install our CA on the device; if it is there, the app is pinned: ignore the "        \
           "destination")                                                                        \
    ENDING(DEVICE_TLS, "device_tls", "the device's TLS could not be understood",                 \
           "ignore the destination")                                                             \
    ENDING(DEVICE_MISMATCH, "device_mismatch",                                                   \
           "the device offers no TLS version, cipher or signature that is allowed",              \
           "lower min-version for this device, or ignore the destination")                       \
    ENDING(NO_COMMON_CIPHER, "no_common_cipher", "the device offers no cipher that may be used", \
           "ignore the destination: the device cannot do better")                                \
    ENDING(DEVICE_TLS_TIMEOUT, "device_tls_timeout", "the device did not finish the handshake",  \
           "the app may be asking its user about our certificate, or have gone: try again")      \
    ENDING(ORIGIN_REFUSED, "origin_refused", "the origin refused the TCP connection",            \
           "the origin is not up, whoever asks")                                                 \
    ENDING(ORIGIN_UNREACHABLE, "origin_unreachable", "the origin could not be reached",          \
           "look at this router's routes and firewall")                                          \
    ENDING(ORIGIN_TIMEOUT, "origin_timeout", "the origin did not answer the TCP connection",     \
           "look whether this router can reach it")                                              \
    ENDING(ORIGIN_RESET, "origin_reset", "the origin reset the connection", "")                  \
    ENDING(ORIGIN_CLOSED, "origin_closed", "the origin closed during the handshake",             \
           "it may take no other client than the device's own: ignore the destination")          \
    ENDING(ORIGIN_ALERT, "origin_alert", "the origin refused the handshake with a TLS alert",    \
           "the device was told the same; if it works without us, ignore the destination")       \
    ENDING(ORIGIN_TLS, "origin_tls", "the origin's TLS could not be understood",                 \
           "ignore the destination")                                                             \
    ENDING(ORIGIN_MISMATCH, "origin_mismatch",                                                   \
           "the origin takes no TLS version or cipher that was offered",                         \
           "lower min-version for this destination, or ignore it")                               \
    ENDING(ORIGIN_TLS_TIMEOUT, "origin_tls_timeout", "the origin did not finish the handshake",  \
           "look whether it answers without us")                                                 \
    ENDING(ORIGIN_UNVERIFIED, "origin_unverified", "the origin's certificate did not verify",    \
           "its operator has to mend it; add its CA to the trust file only if you know it")      \
    ENDING(ORIGIN_REVOKED, "origin_revoked", "the origin's certificate is revoked",              \
           "do not trust this origin: its operator needs a new certificate")                     \
    ENDING(STARTTLS_FAILED, "starttls_failed",                                                   \
           "the device asked for TLS in mid-connection, and it did not begin",                   \
           "look what the origin answers to STARTTLS; if it works without us, ignore it")        \
    ENDING(FORGE_FAILED, "forge_failed", "no certificate could be made for the origin",          \
           "ignore the destination, and report it")                                              \
    ENDING(FORGE_LIMIT, "forge_limit", "too many new certificates were needed at once",          \
           "look what the device is doing: it asks for very many names")                         \
    ENDING(OUT_OF_RESOURCES, "out_of_resources", "memory or file descriptors ran out",           \
           "raise the limit of open files (LimitNOFILE), or add memory")                         \
    ENDING(CUT, "cut", "it was cut: by the policy in force it is decided otherwise", "")         \
    ENDING(SHUTDOWN, "shutdown", "interceptd was stopped", "")

enum ending {
#define ENDING(symbol, name, sentence, advice) ENDING_##symbol,
    ENDINGS
#undef ENDING
};
#define ENDING_COUNT (ENDING_SHUTDOWN + 1)

static inline const char *ending_name(enum ending ending)
{
    static const char *const names[] = {
#define ENDING(symbol, name, sentence, advice) name,
        ENDINGS
#undef ENDING
    };
    return names[ending];
}

static inline const char *ending_sentence(enum ending ending)
{
    static const char *const sentences[] = {
#define ENDING(symbol, name, sentence, advice) sentence,
        ENDINGS
#undef ENDING
    };
    return sentences[ending];
}

/* What to do next; "" if nothing. */
static inline const char *ending_advice(enum ending ending)
{
    static const char *const advice[] = {
#define ENDING(symbol, name, sentence, advice) advice,
        ENDINGS
#undef ENDING
    };
    return advice[ending];
}

#endif
