/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/conn.h"

#include "conn/alerting.h"
#include "conn/capturing.h"
#include "conn/notes.h"
#include "conn/telling.h"
#include "core/log.h"
#include "event/eve.h"
#include "policy/outcome.h"

#include <errno.h>
#include <sys/socket.h>

/* After its handshake, in ms: a device that closes later has not refused our certificate. */
#define REFUSAL_TIME 5000

static const struct conn_stage *stage_of(const struct conn *conn)
{
    return conn->stages[conn->state];
}

static void leave_state(struct conn *conn)
{
    timer_stop(&conn->timer);
    if (stage_of(conn)->leave != NULL)
        stage_of(conn)->leave(conn);
}

void conn_enter(struct conn *conn, enum conn_state state)
{
    leave_state(conn);
    conn->state = state;
    stage_of(conn)->enter(conn);
}

static void device_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = container_of(watch, struct conn, device.watch);
    stage_of(conn)->device_ready(conn, events);
}

static void origin_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = container_of(watch, struct conn, origin.watch);
    stage_of(conn)->origin_ready(conn, events);
}

static void timer_fired(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, timer);
    stage_of(conn)->expired(conn);
}

bool conn_watch_device(struct conn *conn)
{
    return loop_add(&conn->pool->loop, &conn->device.watch, conn->device.endpoint.fd, 0,
                    device_ready);
}

bool conn_watch_origin(struct conn *conn)
{
    return loop_add(&conn->pool->loop, &conn->origin.watch, conn->origin.endpoint.fd, EPOLLOUT,
                    origin_ready);
}

void conn_want(struct conn *conn, uint32_t device, uint32_t origin)
{
    loop_change(&conn->pool->loop, &conn->device.watch, device);
    if (conn->origin.watch.fd >= 0)
        loop_change(&conn->pool->loop, &conn->origin.watch, origin);
}

bool conn_lost(const struct conn_side *side, uint32_t events)
{
    return (events & EPOLLERR) != 0 && side->watch.events == 0;
}

void conn_timeout(struct conn *conn, struct timeout_class *class)
{
    timer_start(&conn->timer, class, conn->pool->loop.now, timer_fired);
}

/* ---- the end ---- */

static void log_end(const struct conn *conn, enum ending ending)
{
    char device[DEVICE_TEXT_SIZE], origin[ADDRESS_TEXT_SIZE], detail[160] = "";
    const struct endpoint *origin_end = &conn->origin.endpoint;
    const struct endpoint *device_end = &conn->device.endpoint;
    if (!log_shows(LOG_LEVEL_VERBOSE))
        return;
    if (ending == ENDING_DEVICE_ALERT)
        snprintf(detail, sizeof(detail), " (alert %d, %s)", device_end->alert_in,
                 SSL_alert_desc_string_long(device_end->alert_in));
    else if (ending == ENDING_ORIGIN_ALERT)
        snprintf(detail, sizeof(detail), " (alert %d, %s)", origin_end->alert_in,
                 SSL_alert_desc_string_long(origin_end->alert_in));
    else if (ending == ENDING_DEVICE_TLS || ending == ENDING_DEVICE_MISMATCH)
        snprintf(detail, sizeof(detail), " (%s)", device_end->failure);
    else if (ending == ENDING_ORIGIN_TLS || ending == ENDING_ORIGIN_MISMATCH)
        snprintf(detail, sizeof(detail), " (%s)", origin_end->failure);
    else if (ending == ENDING_ORIGIN_UNVERIFIED)
        snprintf(detail, sizeof(detail), " (%s)", verify_text(&conn->verify));
    const char *advice = ending_advice(ending);
    log_verbose("clientdisconnect %s from %s: %s%s%s%s", flow_device_text(&conn->flow, device),
                address_text(&conn->flow.origin, origin), ending_sentence(ending), detail,
                advice[0] != '\0' ? "; " : "", advice);
}

void conn_tell_tls(struct conn *conn)
{
    if (conn->flow.opened && !conn->tls_told) {
        eve_write(conn->pool->options.feed, EVE_TLS, &conn->record);
        alerting_origin(conn);
    }
    conn->tls_told = true;
}

static void count_end(struct conn *conn)
{
    struct pool_counters *counters = &conn->pool->counters;
    if (conn->state != CONN_RELAY && conn->state != CONN_SPLICE && conn->state != CONN_PLAIN)
        counter_add(&counters->failed, 1);
}

/* Alerts that are about a certificate (RFC 8446, section 6.2). */
static bool is_about_certificate(int alert)
{
    return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
           alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_ACCESS_DENIED ||
           alert == SSL_AD_DECRYPT_ERROR;
}

/* Who leaves without a word does so as soon as it has looked at the certificate. What was opened in
 * advance, as browsers do, and not needed in the end, is closed later. */
static bool left_soon(const struct conn *conn)
{
    const uint64_t end = conn->handshake_start + conn->record.client.handshake_ms;
    return conn->pool->loop.now <= end + REFUSAL_TIME;
}

static bool has_refused(const struct conn *conn, struct learned_refusal *refusal)
{
    const enum ending ending = conn->record.ending;
    *refusal = (struct learned_refusal){
        .alert = ending == ENDING_DEVICE_ALERT ? conn->device.endpoint.alert_in : LEARNED_SILENT,
        .ja4 = conn->record.ja4,
    };
    return ending == ENDING_DEVICE_ALERT ? is_about_certificate(refusal->alert)
                                         : ending == ENDING_DEVICE_NO_DATA && left_soon(conn);
}

/* A device that refuses what its own checks would have refused without us has told nothing; nor has
 * one that resumes, to which no certificate was shown. */
static void learn(struct conn *conn)
{
    const bool shown = conn->leaf != NULL && conn->by_our_ca && !conn->record.client.resumed;
    struct learned_refusal refusal;
    struct learned_finding finding;
    if (!shown || conn->accepted || conn->verify.count > 0 || !has_refused(conn, &refusal))
        return;
    alerting_learned(conn, outcome_refused(conn->policy->view, &conn->flow, &refusal, &finding),
                     &finding);
}

static void close_side(struct conn *conn, struct conn_side *side, bool reset)
{
    loop_forget(&conn->pool->loop, &side->watch);
    endpoint_close(&side->endpoint, reset);
}

void conn_drop_origin(struct conn *conn)
{
    notes_forget_origin(conn);
    close_side(conn, &conn->origin, false);
    endpoint_init(&conn->origin.endpoint, -1);
    conn->origin_connected = false;
}

void conn_end(struct conn *conn, enum ending ending, bool reset)
{
    count_end(conn);
    if (conn->record.ending == ENDING_NONE)
        notes_end(conn, ending);
    conn_tell_tls(conn);
    learn(conn);
    telling_end(conn);
    capturing_end(conn);
    eve_write(conn->pool->options.feed, EVE_FLOW, &conn->record);
    tally_end(&conn->pool->tally, conn);
    log_end(conn, conn->record.ending);
    leave_state(conn);
    close_side(conn, &conn->device, reset);
    close_side(conn, &conn->origin, reset);
    leaf_unref(conn->leaf);
    pool_policy_unref(conn->policy);
    arena_fini(&conn->arena);
    pool_free_conn(conn->pool, conn);
}

void conn_refuse(struct conn *conn, enum ending ending, int alert)
{
    if (alert != NO_ALERT)
        endpoint_refuse(&conn->device.endpoint, (uint8_t)alert);
    notes_end(conn, ending);
    conn_enter(conn, CONN_LINGER);
}

/* What is still unread would turn our FIN into RST, and that would take the alert with it. */
static void enter_linger(struct conn *conn)
{
    close_side(conn, &conn->origin, false);
    (void)endpoint_shutdown(&conn->device.endpoint, false);
    conn_timeout(conn, &conn->pool->linger_time);
    conn_want(conn, EPOLLIN, 0);
}

static void linger_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    int fd = conn->device.endpoint.fd;
    ssize_t length =
        recv(fd, conn->pool->relay_space.scratch, sizeof(conn->pool->relay_space.scratch), 0);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
        conn_end(conn, conn->record.ending, false);
}

static void linger_expired(struct conn *conn)
{
    conn_end(conn, conn->record.ending, false);
}

const struct conn_stage conn_linger = {.name = "linger",
                                       .enter = enter_linger,
                                       .device_ready = linger_ready,
                                       .expired = linger_expired};
