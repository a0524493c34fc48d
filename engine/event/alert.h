/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * alert.h - what an operator should look at: few things, and each has a number that stays.
 *
 * ALERT(symbol, number, severity, category, signature): categories and severities are those of
 * Suricata's classification.config, where 1 is the worst. */
#ifndef EVENT_ALERT_H
#define EVENT_ALERT_H

/* The generator that Suricata's alerts are numbered within: nobody else's is 77. */
#define ALERT_GENERATOR 77

#define ALERTS                                                                               \
    ALERT(UNVERIFIED, 1, 2, "Potentially Bad Traffic",                                       \
          "interceptd: the origin's certificate does not verify")                            \
    ALERT(REVOKED, 2, 1, "Potentially Bad Traffic",                                          \
          "interceptd: the origin's certificate is revoked")                                 \
    ALERT(PINNED, 3, 3, "Misc activity", "interceptd: an app on the device is pinned there") \
    ALERT(NO_CA, 4, 3, "Misc activity", "interceptd: our CA is not on the device")

enum alert {
    ALERT_NONE,
#define ALERT(symbol, number, severity, category, signature) ALERT_##symbol,
    ALERTS
#undef ALERT
};

struct alert_kind {
    unsigned number, severity;
    const char *category, *signature;
};

static inline struct alert_kind alert_kind(enum alert alert)
{
    static const struct alert_kind kinds[] = {{0},
#define ALERT(symbol, number, severity, category, signature) \
    {number, severity, category, signature},
                                              ALERTS
#undef ALERT
    };
    return kinds[alert];
}

#endif
