/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ending.h - how a connection ended: a name for records, a sentence for people.
 *
 * ENDING(symbol, name, sentence) */
#ifndef CORE_ENDING_H
#define CORE_ENDING_H

#define ENDINGS                                                                                  \
    ENDING(NONE, "open", "the connection is still open")                                         \
    ENDING(CLOSED, "closed", "both sides closed the connection")                                 \
    ENDING(DEVICE_GONE, "device_gone", "the device left before the connection was set up")       \
    ENDING(DEVICE_NO_DATA, "device_no_data",                                                     \
           "the device closed after the handshake, without having sent data")                    \
    ENDING(DEVICE_RESET, "device_reset", "the device reset the connection")                      \
    ENDING(DEVICE_ALERT, "device_alert", "the device refused our handshake with a TLS alert")    \
    ENDING(DEVICE_TLS, "device_tls", "the device's TLS could not be understood")                 \
    ENDING(DEVICE_TLS_TIMEOUT, "device_tls_timeout", "the device did not finish the handshake")  \
    ENDING(NO_COMMON_CIPHER, "no_common_cipher", "the device offers no cipher that may be used") \
    ENDING(ORIGIN_REFUSED, "origin_refused", "the origin refused the TCP connection")            \
    ENDING(ORIGIN_UNREACHABLE, "origin_unreachable", "the origin could not be reached")          \
    ENDING(ORIGIN_TIMEOUT, "origin_timeout", "the origin did not answer the TCP connection")     \
    ENDING(ORIGIN_RESET, "origin_reset", "the origin reset the connection")                      \
    ENDING(ORIGIN_CLOSED, "origin_closed", "the origin closed during the handshake")             \
    ENDING(ORIGIN_ALERT, "origin_alert", "the origin refused the handshake with a TLS alert")    \
    ENDING(ORIGIN_TLS, "origin_tls", "the origin's TLS could not be understood")                 \
    ENDING(ORIGIN_TLS_TIMEOUT, "origin_tls_timeout", "the origin did not finish the handshake")  \
    ENDING(ORIGIN_UNVERIFIED, "origin_unverified", "the origin's certificate did not verify")    \
    ENDING(FORGE_FAILED, "forge_failed", "no certificate could be made for the origin")          \
    ENDING(FORGE_LIMIT, "forge_limit", "too many new certificates were needed at once")          \
    ENDING(OUT_OF_RESOURCES, "out_of_resources", "memory or file descriptors ran out")           \
    ENDING(SHUTDOWN, "shutdown", "interceptd was stopped")

enum ending {
#define ENDING(symbol, name, sentence) ENDING_##symbol,
    ENDINGS
#undef ENDING
};

static inline const char *ending_name(enum ending ending)
{
    static const char *const names[] = {
#define ENDING(symbol, name, sentence) name,
        ENDINGS
#undef ENDING
    };
    return names[ending];
}

static inline const char *ending_sentence(enum ending ending)
{
    static const char *const sentences[] = {
#define ENDING(symbol, name, sentence) sentence,
        ENDINGS
#undef ENDING
    };
    return sentences[ending];
}

#endif
