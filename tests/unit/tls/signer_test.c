/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The real processes: a keeper and a signer are forked for each test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forge.h"
#include "tls/signer.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct stage {
    struct folder folder;
    struct path ca;
    struct signer signer;
};

static int start_signer(void **state)
{
    static struct stage stage;
    stage.folder = make_folder();
    stage.ca = path_in(&stage.folder, "ca.pem");
    const struct signer_options options = {.path = stage.ca.text, .channel_count = 2};
    *state = &stage;
    return signer_start(&stage.signer, &options) ? 0 : -1;
}

static int stop_signer(void **state)
{
    struct stage *stage = *state;
    signer_fini(&stage->signer);
    while (wait(NULL) > 0)
        continue;
    remove_folder(&stage->folder);
    return 0;
}

static uint8_t message[SIGNING_MESSAGE_LIMIT];

/* A request for this certificate by this channel; its status, or -1 if nothing came in time. */
static int ask(const struct stage *stage, size_t channel, X509 *certificate)
{
    struct signing_answer answer;
    struct pollfd awaited = {.fd = stage->signer.channels[channel], .events = POLLIN};
    size_t length = signing_request(message, 1, stage->signer.digest, certificate);
    assert_int_equal(send(awaited.fd, message, length, MSG_NOSIGNAL), length);
    if (poll(&awaited, 1, 10000) != 1)
        return -1;
    ssize_t size = recv(awaited.fd, message, sizeof(message), 0);
    assert_true(size > 0 && signing_read_answer(&answer, message, (size_t)size));
    return (int)answer.status;
}

static X509 *any_draft(const char *constraints)
{
    const struct recipe recipe = {.names = "DNS:a.test",
                                  .extensions = {{NID_basic_constraints, constraints},
                                                 {NID_key_usage, "critical,digitalSignature"},
                                                 {NID_ext_key_usage, "serverAuth"}}};
    struct identity draft = make_identity(&recipe);
    EVP_PKEY_free(draft.key);
    return draft.certificate;
}

static void every_channel_is_answered(void **state)
{
    const struct stage *stage = *state;
    X509 *leaf = any_draft("critical,CA:FALSE"), *ca = any_draft("critical,CA:TRUE");
    assert_true(stage->signer.made);
    for (size_t channel = 0; channel < 2; channel++) {
        assert_int_equal(ask(stage, channel, leaf), SIGNING_DONE);
        assert_int_equal(ask(stage, channel, ca), SIGNING_REFUSED);
    }
    X509_free(leaf);
    X509_free(ca);
}

static void the_authoritys_certificate_is_told_but_not_its_key(void **state)
{
    const struct stage *stage = *state;
    X509 *certificate = sk_X509_value(stage->signer.certificates, 0);
    assert_int_equal(sk_X509_num(stage->signer.certificates), 1);
    struct authority *authority = authority_open(stage->ca.text, NULL, NULL);
    assert_int_equal(X509_cmp(certificate, authority->issuer.certificate), 0);
    authority_free(authority);
}

/* The process of this name below another one; 0 if there is none. */
static pid_t find_child(pid_t parent, const char *name)
{
    DIR *entries = opendir("/proc");
    pid_t found = 0;
    assert_non_null(entries);
    for (struct dirent *entry; found == 0 && (entry = readdir(entries)) != NULL;) {
        char path[300], text[64] = "", ending[64];
        int above = 0;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        if (fscanf(file, "%*d (%63[^)]) %63s %d", text, ending, &above) == 3 && above == parent &&
            strcmp(text, name) == 0)
            found = (pid_t)atoi(entry->d_name);
        fclose(file);
    }
    closedir(entries);
    return found;
}

static pid_t find_signer(void)
{
    pid_t signer = find_child(find_child(getpid(), "intercept-keep"), "intercept-sign");
    assert_true(signer > 0);
    return signer;
}

static void test_CA4_a_killed_signer_comes_back(void **state)
{
    const struct stage *stage = *state;
    X509 *leaf = any_draft("critical,CA:FALSE");
    pid_t first = find_signer();
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(ask(stage, 0, leaf), SIGNING_DONE); /* waits in the socket until then */
    assert_int_not_equal(find_signer(), first);
    X509_free(leaf);
}

static void another_authority_in_the_file_signs_nothing(void **state)
{
    const struct stage *stage = *state;
    const struct recipe recipe = {.common_name = "Another", .ca = true};
    struct identity other = make_identity(&recipe);
    X509 *leaf = any_draft("critical,CA:FALSE");
    write_identity(stage->ca.text, other.certificate, other.key);
    assert_int_equal(ask(stage, 0, leaf), SIGNING_DONE); /* it is not read again */
    assert_int_equal(kill(find_signer(), SIGKILL), 0);
    assert_int_equal(ask(stage, 0, leaf), SIGNING_REFUSED);
    X509_free(leaf);
    free_identity(&other);
}

/* A service manager's signals go to all processes of a service. */
static void signals_that_are_the_engines_do_not_end_it(void **state)
{
    const struct stage *stage = *state;
    X509 *leaf = any_draft("critical,CA:FALSE");
    pid_t signer = find_signer();
    assert_int_equal(kill(signer, SIGTERM), 0);
    assert_int_equal(kill(signer, SIGINT), 0);
    assert_int_equal(ask(stage, 0, leaf), SIGNING_DONE);
    assert_int_equal(find_signer(), signer);
    X509_free(leaf);
}

static void both_processes_end_with_the_channels(void **state)
{
    struct stage *stage = *state;
    pid_t keeper = find_child(getpid(), "intercept-keep");
    assert_true(keeper > 0);
    signer_fini(&stage->signer);
    int status = -1;
    pid_t ended;
    do
        ended = waitpid(keeper, &status, 0);
    while (ended < 0 && errno == EINTR);
    assert_int_equal(ended, keeper);
    assert_int_equal(status, 0);
}

static void an_authority_that_is_none_is_told_at_once(void **state)
{
    (void)state;
    struct signer signer;
    const struct signer_options options = {.path = "/dev/null", .channel_count = 1};
    assert_false(signer_start(&signer, &options));
    signer_fini(&signer);
}

#define with_signer(test) cmocka_unit_test_setup_teardown(test, start_signer, stop_signer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_signer(every_channel_is_answered),
        with_signer(the_authoritys_certificate_is_told_but_not_its_key),
        with_signer(test_CA4_a_killed_signer_comes_back),
        with_signer(another_authority_in_the_file_signs_nothing),
        with_signer(signals_that_are_the_engines_do_not_end_it),
        with_signer(both_processes_end_with_the_channels),
        cmocka_unit_test(an_authority_that_is_none_is_told_at_once),
    };
    return cmocka_run_group_tests_name("tls/signer", tests, NULL, NULL);
}
