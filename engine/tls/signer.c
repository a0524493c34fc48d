/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/signer.h"

#include "core/log.h"
#include "core/reader.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESTART_DELAY 100 /* ms */

/* What the signer's process is given. */
struct job {
    struct signer_options options;
    struct pollfd *channels; /* its ends */
    int told;                /* where it tells that it is ready, or ends */
};

/* ---- the sandbox ---- */

/* Some of these only 32-bit machines have; elsewhere their numbers are negative.
 *
 * Reading and writing what is open, memory, time and random numbers: there is nothing else that
 * signing needs. What OpenSSL or libc tries beyond that fails as if it were not allowed. */
static const int calls[] = {SCMP_SYS(read),
                            SCMP_SYS(write),
                            SCMP_SYS(recvfrom),
                            SCMP_SYS(sendto),
                            SCMP_SYS(poll),
                            SCMP_SYS(ppoll),
                            SCMP_SYS(exit_group),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(brk),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mremap),
                            SCMP_SYS(madvise),
                            SCMP_SYS(futex),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(tgkill),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(clock_gettime64),
                            SCMP_SYS(futex_time64)};

static bool allow_calls(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        if (calls[i] >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            return false;
    /* Memory that can be executed there is no need of. */
    static const int maps[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2)};
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        if (maps[i] >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, maps[i], 1,
                                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) != 0)
            return false;
    return true;
}

static bool filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool done = filter != NULL && allow_calls(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

/* A descriptor of ours would keep locks and sockets alive that are the engine's. */
static void close_all_but(const struct job *job)
{
    long limit = sysconf(_SC_OPEN_MAX);
    for (int fd = 3; fd < (limit > 0 && limit < 4096 ? (int)limit : 4096); fd++) {
        bool kept = fd == job->told;
        for (size_t i = 0; i < job->options.channel_count; i++)
            kept = kept || fd == job->channels[i].fd;
        if (!kept)
            close(fd);
    }
}

/* A signal to all of our processes (Ctrl-C, a service manager's) is the engine's to heed, which
 * still needs certificates while it drains. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        signal(signals[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void end_with_parent(pid_t parent, const char *name)
{
    (void)prctl(PR_SET_NAME, name);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

/* ---- the signer ---- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* "made" and the certificates, each behind its length (3 bytes): what the engine may know. */
static bool tell_ready(const struct job *job, const struct authority *authority, bool made)
{
    static uint8_t message[SIGNING_MESSAGE_LIMIT];
    uint8_t *at = message;
    *at++ = made;
    for (int i = -1; i < sk_X509_num(authority->chain); i++) {
        X509 *certificate =
            i < 0 ? authority->issuer.certificate : sk_X509_value(authority->chain, i);
        int length = i2d_X509(certificate, NULL);
        if (length <= 0 || (size_t)length + 3 > (size_t)(message + sizeof(message) - at)) {
            log_error("%s: the certificates in it are too large", job->options.path);
            return false;
        }
        for (int shift = 16; shift >= 0; shift -= 8)
            *at++ = (uint8_t)(length >> shift);
        i2d_X509(certificate, &at);
    }
    /* Only the first start is waited for. */
    (void)!send(job->told, message, (size_t)(at - message), MSG_NOSIGNAL);
    return true;
}

/* OpenSSL opens and allocates what it needs at its first use. */
static bool warm_up(const struct authority *authority)
{
    X509 *copy = X509_dup(authority->issuer.certificate);
    bool done = copy != NULL && X509_sign(copy, authority->issuer.key, NULL) > 0;
    if (!done && copy != NULL)
        done = X509_sign(copy, authority->issuer.key, EVP_sha256()) > 0;
    X509_free(copy);
    return done;
}

/* Whoever reads memory could read the key. */
static bool give_up_rights(const struct authority *authority)
{
    capng_clear(CAPNG_SELECT_BOTH);
    (void)capng_apply(CAPNG_SELECT_BOUNDS); /* an unprivileged start has no right to this */
    bool done = capng_apply(CAPNG_SELECT_CAPS) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && warm_up(authority) && filter_calls();
    if (!done)
        log_error("the signer could not give up its rights: %m");
    return done;
}

static void serve(struct signing *signing, struct pollfd *channel)
{
    static uint8_t request[SIGNING_MESSAGE_LIMIT], answer[SIGNING_MESSAGE_LIMIT];
    ssize_t length = recv(channel->fd, request, sizeof(request), 0);
    if (length < 0 && errno == EINTR)
        return;
    size_t size =
        length > 0 ? signing_answer(signing, now_ms(), request, (size_t)length, answer) : 0;
    if (size == 0)
        channel->fd = -1; /* the thread at its other end is gone, or talks nonsense */
    else
        (void)!send(channel->fd, answer, size, MSG_NOSIGNAL | MSG_DONTWAIT); /* or ask again */
}

/* Until the last channel is closed. */
static void serve_all(struct signing *signing, const struct job *job)
{
    size_t open = job->options.channel_count;
    while (open > 0) {
        (void)poll(job->channels, job->options.channel_count, -1);
        open = 0;
        for (size_t i = 0; i < job->options.channel_count; i++) {
            if (job->channels[i].fd >= 0 && job->channels[i].revents != 0)
                serve(signing, &job->channels[i]);
            open += job->channels[i].fd >= 0;
        }
    }
}

static int run_signer(const struct job *job)
{
    struct signing signing;
    bool made;
    if (job->told < 0 && access(job->options.path, F_OK) != 0) { /* a new one would be a stranger */
        log_error("%s: %m", job->options.path);
        return 1;
    }
    struct authority *authority =
        authority_open(job->options.path, job->options.constraints, &made);
    if (authority == NULL || !signing_init(&signing, authority, job->options.constraints) ||
        !give_up_rights(authority) || !tell_ready(job, authority, made))
        return 1;
    close(job->told);
    serve_all(&signing, job);
    return 0;
}

/* ---- the keeper ---- */

static void wait_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* The right to read the CA's file, wherever it lies, is all that is needed from now on. */
static void keep_reading_rights(void)
{
    capng_get_caps_process();
    bool reads = capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_READ_SEARCH) == 1;
    capng_clear(CAPNG_SELECT_BOTH);
    if (reads)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
    (void)capng_apply(CAPNG_SELECT_CAPS);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A signal at its death does not reach us: it has another user by then. */
static bool engine_is_gone(struct job *job)
{
    size_t gone = 0;
    (void)poll(job->channels, job->options.channel_count, 0);
    for (size_t i = 0; i < job->options.channel_count; i++)
        gone += (job->channels[i].revents & POLLHUP) != 0;
    return gone == job->options.channel_count;
}

static _Noreturn void keep_signer(struct job *job)
{
    pid_t keeper = getpid();
    for (bool first = true;; first = false) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            end_with_parent(keeper, "intercept-sign");
            _exit(run_signer(job));
        }
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        if (child > 0 && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || first))
            _exit(WEXITSTATUS(status));
        if (first) {
            keep_reading_rights();
            close(job->told);
            job->told = -1;
        }
        if (engine_is_gone(job))
            _exit(0);
        log_warning("the signer has ended: starting it again");
        wait_ms(child > 0 && WIFSIGNALED(status) ? RESTART_DELAY : 50 * RESTART_DELAY);
    }
}

/* ---- the engine's side ---- */

static bool read_ready(struct signer *signer, int told)
{
    static uint8_t message[SIGNING_MESSAGE_LIMIT];
    ssize_t length;
    do
        length = recv(told, message, sizeof(message), 0);
    while (length < 0 && errno == EINTR);
    struct reader reader = reader_of(message, length > 0 ? (size_t)length : 0);
    signer->made = read_u8(&reader) == 1;
    while (reader.left > 0) {
        struct reader der = read_vector(&reader, 3);
        const unsigned char *at = der.at;
        X509 *certificate = d2i_X509(NULL, &at, (long)der.left);
        if (certificate == NULL || sk_X509_push(signer->certificates, certificate) <= 0)
            return false;
    }
    return sk_X509_num(signer->certificates) > 0 &&
           X509_digest(sk_X509_value(signer->certificates, 0), EVP_sha256(), signer->digest,
                       NULL) == 1;
}

/* A pair of which the engine's end does not block. Messages may be as long as they get. */
static bool make_channel(int *ours, int *theirs)
{
    int ends[2], size = 2 * (int)SIGNING_MESSAGE_LIMIT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    *ours = ends[0];
    *theirs = ends[1];
    for (int i = 0; i < 2; i++)
        if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0)
            return false;
    return true;
}

static bool make_channels(struct signer *signer, struct pollfd *theirs)
{
    for (size_t i = 0; i < signer->channel_count; i++) {
        theirs[i].events = POLLIN;
        if (!make_channel(&signer->channels[i], &theirs[i].fd) ||
            fcntl(signer->channels[i], F_SETFL, O_NONBLOCK) != 0)
            return false;
    }
    return true;
}

static pid_t fork_keeper(struct job *job)
{
    pid_t engine = getpid();
    pid_t child = fork();
    if (child == 0) {
        end_with_parent(engine, "intercept-keep");
        ignore_signals();
        close_all_but(job);
        keep_signer(job);
    }
    return child;
}

static bool start_processes(struct signer *signer, struct job *job)
{
    int told;
    if (!make_channels(signer, job->channels) || !make_channel(&told, &job->told)) {
        log_error("no sockets for the signer: %m");
        return false;
    }
    pid_t keeper = fork_keeper(job);
    close(job->told);
    for (size_t i = 0; i < signer->channel_count; i++)
        close(job->channels[i].fd);
    if (keeper < 0)
        log_error("the signer cannot be started: %m");
    bool done = keeper > 0 && read_ready(signer, told);
    close(told);
    if (keeper > 0 && !done)
        log_error("the signer did not start");
    return done;
}

bool signer_start(struct signer *signer, const struct signer_options *options)
{
    struct job job = {.options = *options, .told = -1};
    *signer = (struct signer){.channel_count = options->channel_count};
    signer->certificates = sk_X509_new_null();
    signer->channels = calloc(options->channel_count, sizeof(*signer->channels));
    job.channels = calloc(options->channel_count, sizeof(*job.channels));
    CHECK(signer->certificates != NULL && signer->channels != NULL && job.channels != NULL);
    bool done = start_processes(signer, &job);
    free(job.channels);
    return done;
}

void signer_fini(struct signer *signer)
{
    for (size_t i = 0; i < signer->channel_count; i++)
        if (signer->channels[i] > 0)
            close(signer->channels[i]);
    free(signer->channels);
    sk_X509_pop_free(signer->certificates, X509_free);
    *signer = (struct signer){0};
}
