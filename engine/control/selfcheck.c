/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/selfcheck.h"

#include "core/file.h"
#include "core/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The value of a sysctl that is a small number; -1 if it is not there. */
static int read_sysctl(const char *path)
{
    FILE *file = fopen(path, "re");
    int value = -1;
    if (file == NULL)
        return -1;
    if (fscanf(file, "%d", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

static bool has_global_ipv6(void)
{
    FILE *table = fopen("/proc/net/if_inet6", "re");
    unsigned scope;
    bool found = false;
    if (table == NULL)
        return false;
    while (!found && fscanf(table, "%*32s %*x %*x %x %*x %*s", &scope) == 1)
        found = scope == 0;
    fclose(table);
    return found;
}

static void check_forwarding(void)
{
    if (read_sysctl("/proc/sys/net/ipv4/ip_forward") == 0)
        log_warning(
            "IPv4 forwarding is off, so nothing that passes gets anywhere; turn it on with: "
            "sysctl -w net.ipv4.ip_forward=1");
    if (has_global_ipv6() && read_sysctl("/proc/sys/net/ipv6/conf/all/forwarding") == 0)
        log_warning(
            "IPv6 forwarding is off, so nothing that passes gets anywhere; turn it on with: "
            "sysctl -w net.ipv6.conf.all.forwarding=1");
}

/* The kernel then looks for a packet's source by its mark too, finds our local route, and takes the
 * packet for a martian. */
static void check_source_marks(void)
{
    if (read_sysctl("/proc/sys/net/ipv4/conf/all/src_valid_mark") == 1)
        log_warning(
            "net.ipv4.conf.all.src_valid_mark is on (VPN tools set it), so the kernel would "
            "drop what is taken; turn it off with: sysctl -w "
            "net.ipv4.conf.all.src_valid_mark=0");
}

bool selfcheck_privilege(void)
{
    return capng_get_caps_process() == 0 &&
           capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) == 1;
}

bool selfcheck(void)
{
    if (!selfcheck_privilege()) {
        log_error("the right to change the network (CAP_NET_ADMIN) is missing: run it as root, or "
                  "as a service");
        return false;
    }
    check_forwarding();
    check_source_marks();
    return true;
}

bool selfcheck_lock(const struct config *config)
{
    char path[PATH_MAX], text[32] = "";
    snprintf(path, sizeof(path), "%s.lock", config->control_socket);
    if (!file_make_parents(path, 0755)) {
        log_error("%s: %m", path);
        return false;
    }
    /* Through no link: others than root may write in that directory. */
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1)) {
        log_error("%s: it is no file of ours", path);
        close(fd);
        return false;
    }
    if (fd < 0) {
        log_error("%s: %m", path);
        return false;
    }
    /* Of all kinds of locks this one alone is not shared with the processes that we fork. */
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        text[strcspn(text, "\n")] = '\0';
        log_error("another instance is running (process %s), with the same control socket %s",
                  text[0] != '\0' ? text : "unknown", config->control_socket);
        close(fd);
        return false;
    }
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    (void)!ftruncate(fd, 0);
    (void)!write(fd, text, (size_t)length);
    return true; /* the descriptor stays open, and the lock with it */
}
