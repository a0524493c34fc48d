/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/alerting.h"

#include "event/eve.h"

static void tell(struct conn *conn, const struct record *record, enum alert alert, bool blocked)
{
    struct record told = *record;
    told.alert = alert;
    told.blocked = blocked;
    eve_write(conn->pool->options.feed, EVE_ALERT, &told);
    conn->record.alerted = true;
}

void alerting_origin(struct conn *conn)
{
    const struct record *record = &conn->record;
    const struct verify *verify = &conn->verify;
    bool revoked = record->ending == ENDING_ORIGIN_REVOKED;
    bool unverified = record->ending == ENDING_ORIGIN_UNVERIFIED;
    if (revoked || (record->verified && verify->revoked))
        tell(conn, record, ALERT_REVOKED, revoked);
    else if (unverified || (record->verified && verify->count > 0))
        tell(conn, record, ALERT_UNVERIFIED, unverified);
}

void alerting_learned(struct conn *conn, enum learned_news news,
                      const struct learned_finding *finding)
{
    char evidence[LEARNED_EVIDENCE_SIZE];
    struct record record = conn->record;
    if (news == LEARNED_NO_CA)
        tell(conn, &record, ALERT_NO_CA, false);
    if (news != LEARNED_PINNED)
        return;
    const struct policy *policy = policy_view_policy(conn->policy->view);
    record.action = "learned";
    record.reason =
        policy_config(policy)->learn.mode == LEARN_AUTO ? reason_name(REASON_PINNED) : "suggested";
    record.evidence = learned_evidence_text(&finding->evidence, evidence);
    record.learned = finding->id;
    eve_write(conn->pool->options.feed, EVE_INTERCEPT, &record);
    tell(conn, &record, ALERT_PINNED, false);
}
