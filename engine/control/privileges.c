/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/privileges.h"

#include "core/file.h"
#include "core/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories are the group's to write, too; but what is root's there nobody else may remove,
 * rename or replace. */
#define SHARED_MODE (S_ISVTX | 0775)
#define STATE_MODE (S_ISVTX | 0770)

static bool is_root(void)
{
    return geteuid() == 0;
}

static bool changes_user(const struct config *config)
{
    return is_root() && config->has_user && config->user != 0;
}

/* Whom it runs as; root, where there is no user for it. */
static uid_t user_of(const struct config *config)
{
    return config->has_user ? config->user : 0;
}

static gid_t group_of(const struct config *config)
{
    return config->has_user ? config->group : 0;
}

/* A file or a pipe, if there is one, becomes the user's, whoever was the user before. Found without
 * following a link or opening it for real; it has to have one name only, for another one would be a
 * way to somebody else's file. */
static bool hand_over_file(const char *path, const struct config *config)
{
    struct stat status;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return true;
    bool is_file = fstat(fd, &status) == 0 && status.st_nlink == 1 &&
                   (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode));
    bool done = !is_file || fchownat(fd, "", user_of(config), group_of(config), AT_EMPTY_PATH) == 0;
    close(fd);
    return done;
}

/* The directory stays root's. What belongs to everybody (/tmp and the like) stays as it is. */
static bool share_directory(const char *path, mode_t mode, const struct config *config)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd < 0 || fstat(fd, &status) != 0 || status.st_uid != 0 ||
                (status.st_mode & S_IWOTH) != 0 ||
                (fchown(fd, 0, group_of(config)) == 0 && fchmod(fd, mode) == 0);
    if (fd >= 0)
        close(fd);
    return done;
}

/* What we keep there, whoever kept it before. */
static bool hand_over_state(const char *name, const struct config *config)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", config->state_directory, name);
    return file_make_parents(path, 0700) && hand_over_file(path, config);
}

static bool prepare_state(const struct config *config)
{
    return hand_over_state("leaf-keys.pem", config) && hand_over_state("runtime.json", config) &&
           hand_over_state("learned.json", config) &&
           hand_over_state("learned.json.damaged", config) &&
           file_make_parents(config->tls.ca, 0700) &&
           share_directory(config->state_directory, STATE_MODE, config);
}

static bool is_our_name(const char *directory)
{
    const char *slash = strrchr(directory, '/');
    return strcmp(slash != NULL ? slash + 1 : directory, "interceptd") == 0;
}

/* The directory of a file that comes and goes there: ours if we make it, or it has our name. */
static bool prepare_directory_of(const char *path, const struct config *config)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s", path);
    char *slash = strrchr(directory, '/');
    *slash = '\0';
    bool is_ours = slash != directory && (is_our_name(directory) || access(directory, F_OK) != 0);
    return file_make_parents(path, 0755) &&
           (!is_ours || share_directory(directory, SHARED_MODE, config));
}

/* A file is made beforehand: it may lie where the user may write, but make nothing. */
static bool prepare_file(const char *path, mode_t mode, const struct config *config)
{
    if (path == NULL)
        return true;
    if (!prepare_directory_of(path, config))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0)
        close(fd);
    return hand_over_file(path, config);
}

/* Those in the state's directory are made when there is one. */
static bool prepare_captures(const struct config *config)
{
    char path[PATH_MAX];
    if (config->capture.directory == NULL)
        return true;
    snprintf(path, sizeof(path), "%s/capture", config->capture.directory);
    return prepare_directory_of(path, config);
}

/* SQLite keeps two more beside it. */
static bool prepare_store(const struct config *config)
{
    static const char *const endings[] = {"-wal", "-shm"};
    char path[PATH_MAX];
    bool done = prepare_file(config->store.file, 0640, config);
    for (size_t i = 0; config->store.file != NULL && i < ARRAY_SIZE(endings); i++) {
        snprintf(path, sizeof(path), "%s%s", config->store.file, endings[i]);
        done = done && hand_over_file(path, config);
    }
    return done;
}

/* The state last: whatever else lies there, it is as closed as the CA's file needs it to be. */
static bool prepare_all(const struct config *config)
{
    return prepare_file(config->events_file, 0640, config) &&
           prepare_file(config->tls.keylog, 0600, config) && prepare_captures(config) &&
           prepare_store(config) && prepare_directory_of(config->control_socket, config) &&
           (config->read_socket == NULL || prepare_directory_of(config->read_socket, config)) &&
           prepare_state(config);
}

bool privileges_prepare(const struct config *config)
{
    if (!is_root())
        return true;
    mode_t mask = umask(022); /* a directory that is made on the way is to be passed through */
    bool done = prepare_all(config);
    umask(mask);
    if (!done)
        log_error("what user %u is to write cannot be prepared: %m", (unsigned)user_of(config));
    return done;
}

static bool change_user(const struct config *config)
{
    return capng_change_id((int)config->user, (int)config->group, CAPNG_DROP_SUPP_GRP) == 0;
}

/* Whoever may read our memory may read the traffic. Leak checkers have to. */
static bool hide_memory(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return prctl(PR_SET_DUMPABLE, 1) == 0;
#else
    return prctl(PR_SET_DUMPABLE, 0) == 0;
#endif
}

bool privileges_drop(const struct config *config)
{
    capng_clear(CAPNG_SELECT_BOTH);
    (void)capng_apply(CAPNG_SELECT_BOUNDS); /* without the right to this there is no need of it */
    capng_clear(CAPNG_SELECT_BOTH);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    bool done = changes_user(config) ? change_user(config) : capng_apply(CAPNG_SELECT_CAPS) == 0;
    done = done && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && hide_memory();
    if (!done)
        log_error("the rights that are not needed cannot be given up: %m");
    else if (geteuid() == 0)
        log_warning("there is no user interceptd: running as root, with CAP_NET_ADMIN alone "
                    "(user = in [control])");
    return done;
}
