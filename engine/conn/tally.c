/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/tally.h"

#include "conn/conn.h"

/* False if it is no failed handshake that the connection has ended by. */
static bool failed_side(enum ending ending, enum tally_side *side)
{
    switch (ending) {
    case ENDING_DEVICE_ALERT:
    case ENDING_DEVICE_TLS:
    case ENDING_DEVICE_MISMATCH:
    case ENDING_NO_COMMON_CIPHER:
    case ENDING_DEVICE_TLS_TIMEOUT:
        *side = TALLY_DEVICE;
        return true;
    case ENDING_ORIGIN_CLOSED:
    case ENDING_ORIGIN_ALERT:
    case ENDING_ORIGIN_TLS:
    case ENDING_ORIGIN_MISMATCH:
    case ENDING_ORIGIN_TLS_TIMEOUT:
    case ENDING_ORIGIN_UNVERIFIED:
    case ENDING_ORIGIN_REVOKED:
        *side = TALLY_ORIGIN;
        return true;
    default:
        return false;
    }
}

static void count_failure(struct tally *tally, const struct record *record)
{
    enum tally_side side;
    if (!failed_side(record->ending, &side))
        return;
    int alert = side == TALLY_DEVICE ? record->client.alert_in : record->upstream.alert_in;
    bool known = alert >= 0 && alert < TALLY_NO_ALERT;
    counter_add(&tally->failed[side][known ? alert : TALLY_NO_ALERT], 1);
}

void tally_end(struct tally *tally, const struct conn *conn)
{
    const struct record *record = &conn->record;
    const enum reason reason = conn->decision.reason;
    if (record->action == NULL)
        counter_add(&tally->undecided, 1);
    else if (conn->decision.verdict == VERDICT_PASS)
        counter_add(&tally->passed[reason], 1);
    else
        counter_add(&tally->intercepted[reason], 1);
    counter_add(&tally->ended[record->ending], 1);
    count_failure(tally, record);
    counter_add(&tally->bytes_to_server, record->bytes_to_server);
    counter_add(&tally->bytes_to_client, record->bytes_to_client);
}
