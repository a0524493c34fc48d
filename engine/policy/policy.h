/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * policy.h - what should happen to a connection.
 *
 * A policy is an immutable snapshot of the configuration, of what was edited at run time, and of
 * everything that is made of it. The control thread makes a new one for each reload and each edit;
 * each thread that decides holds a view of its own, which is handed to it by mailbox. So nothing
 * that decides waits, and it locks for one thing only: what is known of the devices (known.h)
 * changes all the time, under locks that are held for a look-up. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/config.h"
#include "policy/edits.h"
#include "policy/known.h"
#include "policy/patterns.h"
#include "policy/rules.h"

/* Why a decision fell as it did: the names are those of `reason` in the records. */
enum reason {
    REASON_DEFAULT,     /* nothing spoke against interception */
    REASON_RULE,        /* an ignore pattern */
    REASON_NOT_ALLOWED, /* there are allow patterns, and none is found */
    REASON_PINNED,      /* the device has refused our certificate there, again and again */
    REASON_DEVICE,      /* the device is excluded */
    REASON_LOCAL,       /* the destination is this box */
    REASON_CONSTRAINTS, /* our CA may not vouch for its name */
    REASON_NOT_TLS,     /* the device does not speak TLS */
    REASON_OVERLOAD,    /* there was no room for it */
    REASON_DRAINING,    /* interceptd is about to stop */
    REASON_MTLS,        /* the server asks for the device's certificate */
    REASON_QUIC,        /* QUIC that is let be, where TCP would be intercepted */
    REASON_UNKNOWN,     /* in records: what decided is not known any more */
};
#define REASONS (REASON_UNKNOWN + 1)
const char *reason_name(enum reason reason);

struct decision {
    enum verdict verdict;
    enum reason reason;
    const struct pattern_source *rule; /* for REASON_RULE; lives as long as the policy */
    uint64_t learned;                  /* for REASON_PINNED: the finding's number */
    enum holds holds;
};

struct policy;

/* Takes over the configuration. `use_cache`: keep compiled patterns in the state directory. NULL if
 * a pattern is bad, or the report had errors before; the configuration is then freed. Slow: never
 * on a thread that packets wait for. */
struct policy *policy_new(struct config *config, uint64_t revision, bool use_cache,
                          struct report *report) must_check;

/* The configuration of `policy` with these edits in place of any it was made with; what `before`
 * (NULL: nothing) has compiled of edits is used again, so that a change costs milliseconds. NULL if
 * an edit is bad: then why is in the report. Not on a thread that packets wait for. */
struct policy *policy_edit(const struct policy *policy, const struct policy *before,
                           const struct edits *edits, uint64_t revision,
                           struct report *report) must_check;

struct policy *policy_ref(struct policy *policy); /* any thread */
void policy_unref(struct policy *policy);         /* any thread */

/* As it is by now; and as it was read. */
const struct config *policy_config(const struct policy *policy);
const struct config *policy_file(const struct policy *policy);
uint64_t policy_revision(const struct policy *policy);

/* A list of patterns; of a device (its section's name; NULL: for all) its patterns to ignore. NULL
 * if it has no section. */
const struct patterns *policy_list(const struct policy *policy, enum edit_list list,
                                   const char *device);
const struct patterns *policy_ignore(const struct policy *policy); /* for all */

/* One thread's hold on a policy, with the working memory that matching needs. */
struct policy_view;

/* Takes a reference to the policy, and borrows what is known (NULL: nothing). NULL if there is no
 * memory. The view may be handed to another thread, once;
 * from then on it is that thread's. */
struct policy_view *policy_view_new(struct policy *policy, struct known *known) must_check;

/* The same with working memory like that of `model`, which was grown for this policy, and is not in
 * use. Cheap. */
struct policy_view *policy_view_like(struct policy *policy, struct known *known,
                                     const struct pattern_scratch *model) must_check;

/* In the thread that both are of: from now on they share the view's working memory, which has to be
 * fit for the old one's policy, too. */
void policy_view_follow(struct policy_view *view, const struct policy_view *old);

/* Makes working memory fit for the policy. False if there is no memory. */
bool policy_grow_scratch(const struct policy *policy, struct pattern_scratch **scratch) must_check;

void policy_view_free(struct policy_view *view);
const struct policy *policy_view_policy(const struct policy_view *view);
struct known *policy_view_known(const struct policy_view *view); /* or NULL */
struct pattern_scratch *policy_view_scratch(const struct policy_view *view);

/* Tells of the flow what is known of its device; see known_describe(). The operator's name for it
 * goes before all others, and lives as long as the policy. */
void policy_describe(const struct policy_view *view, struct flow *flow, struct arena *arena);

/* Counts a connection for its device, by its first decision. */
void policy_count(const struct policy_view *view, const struct flow *flow, enum verdict verdict);

/* The only place that decides: at the SYN, at the device's first bytes, and for `interceptctl
 * explain`. In this order: device excluded, destination local, ignore (the device's own patterns,
 * then those for all), allow, name constraints, learned, intercept.
 *
 * Where a device has resolved several names to one address, and they would be decided differently,
 * a connection is taken until its first bytes tell which name is meant.
 *
 * For UDP, which is QUIC, "taken" means refused; where QUIC is let be, it passes instead. */
struct decision policy_decide(const struct policy_view *view, const struct flow *flow);

/* True if what is decided depends on the names that devices resolve: DNS is to be watched. */
bool policy_watches_dns(const struct config *config);

/* Whether the name in the flow's first bytes, which are not read yet, could change what is decided.
 */
bool policy_wants_name(const struct policy_view *view, const struct flow *flow);

/* How TLS is to be spoken on a connection that is taken: asked when the ClientHello is read. */
struct tls_rules policy_tls(const struct policy_view *view, const struct flow *flow);

/* True if any rule looks at the host of plain HTTP requests. */
bool policy_wants_host(const struct policy_view *view);

/* Patterns are looked for in addresses alone, and one would have been found in a name of this flow:
 * says so in the log, once for each pattern, with the pattern to use. To be called for what is
 * intercepted, when its first bytes were read. */
void policy_hint(const struct policy_view *view, const struct flow *flow);

/* "file:line" of a rule, for people. Returns `text`. */
#define RULE_PLACE_SIZE PLACE_TEXT_SIZE
const char *rule_place(const struct pattern_source *rule, char text[static RULE_PLACE_SIZE]);

#endif
