/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/outcome.h"

#include "core/log.h"
#include "policy/suggest.h"
#include "tls/authority.h"

#include <limits.h>
#include <time.h>

void outcome_accepted(const struct policy_view *view, const struct flow *flow)
{
    if (policy_view_known(view) != NULL)
        learned_note_acceptance(policy_view_known(view)->learned, flow, time(NULL));
}

static void tell_missing_ca(const struct config *config, const struct flow *flow)
{
    char device[DEVICE_TEXT_SIZE], path[PATH_MAX];
    authority_certificate_path(config->tls.ca, path, sizeof(path));
    log_info("%s refuses our certificates, and has never accepted one: if it is to be intercepted, "
             "install our CA on it: %s",
             flow_device_ip_text(flow, device), path);
}

static void tell_finding(const struct config *config, const struct flow *flow,
                         const struct learned_finding *finding)
{
    char device[DEVICE_TEXT_SIZE], evidence[LEARNED_EVIDENCE_SIZE], pattern[SUGGEST_SIZE];
    flow_device_ip_text(flow, device);
    learned_evidence_text(&finding->evidence, evidence);
    if (config->learn.mode == LEARN_AUTO)
        log_info("%s does not accept our certificate for %s:%u (%s), and does elsewhere: an app is "
                 "pinned there; its connections pass from now on (interceptctl learned forget "
                 "%llu)",
                 device, finding->host, finding->port, evidence, (unsigned long long)finding->id);
    else
        log_info("%s does not accept our certificate for %s:%u (%s), and does elsewhere: an app is "
                 "pinned there; to let it pass: pattern = %s, or interceptctl learned keep %llu",
                 device, finding->host, finding->port, evidence,
                 suggest_finding(finding, config->ignore.match, pattern),
                 (unsigned long long)finding->id);
}

enum learned_news outcome_refused(const struct policy_view *view, const struct flow *flow,
                                  const struct learned_refusal *refusal,
                                  struct learned_finding *finding)
{
    const struct config *config = policy_config(policy_view_policy(view));
    if (policy_view_known(view) == NULL)
        return LEARNED_NOTHING;
    enum learned_news news = learned_note_refusal(policy_view_known(view)->learned, &config->learn,
                                                  flow, refusal, time(NULL), finding);
    if (news == LEARNED_NO_CA)
        tell_missing_ca(config, flow);
    else if (news == LEARNED_PINNED)
        tell_finding(config, flow, finding);
    return news;
}

const char *outcome_evidence(const struct policy_view *view, const struct decision *decision,
                             struct arena *arena)
{
    struct learned_finding finding;
    char text[LEARNED_EVIDENCE_SIZE];
    if (decision->reason != REASON_PINNED || policy_view_known(view) == NULL ||
        !learned_find(policy_view_known(view)->learned, decision->learned, &finding))
        return NULL;
    return arena_strdup(arena, learned_evidence_text(&finding.evidence, text));
}
