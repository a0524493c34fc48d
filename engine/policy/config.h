/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * config.h - the configuration as plain data, read from one INI file.
 *
 * What the keys mean, their types and defaults: the table in schema.c. A configuration never
 * changes once it is loaded, and belongs to whoever loaded it. */
#ifndef POLICY_CONFIG_H
#define POLICY_CONFIG_H

#include "core/arena.h"
#include "core/flow.h"
#include "core/report.h"
#include "tls/credentials.h"

#include <stdbool.h>
#include <stdint.h>

/* A regular expression and where it was written: that place is what every decision quotes. */
struct pattern_source {
    const char *text;
    struct place place;
    unsigned column; /* of the first character, counting from 1 */
    bool dotall;     /* "." is a newline, too; only where PCRE2 is the one that finds it */
};

struct pattern_list {
    struct pattern_source *items;
    size_t count, capacity;
};

/* Which texts a pattern is tried against, beside the address. */
enum match {
    MATCH_ADDRESS = 1,
    MATCH_DNS = 2,  /* names that the device has resolved to the address */
    MATCH_SNI = 4,  /* the name in the ClientHello */
    MATCH_HOST = 8, /* the name in a plain HTTP request */
};
#define MATCH_NAMES (MATCH_DNS | MATCH_SNI | MATCH_HOST)

struct rules_config {
    struct pattern_list patterns;
    unsigned match; /* of enum match */
};

struct port_range {
    uint16_t first, last;
};

struct words {
    const char **items;
    size_t count;
};

/* Whether DNS answers are read: AUTO means where something depends on it. */
enum watching { WATCH_AUTO, WATCH_NO, WATCH_YES };

/* What becomes of QUIC to what is intercepted. */
enum quic {
    QUIC_UNSET,
    QUIC_REFUSE, /* it is refused at once, so that TCP is used */
    QUIC_PASS,   /* it flows, unseen */
};

/* What is made of devices that refuse our certificate. */
enum learn { LEARN_OFF, LEARN_SUGGEST, LEARN_AUTO };

struct learn_config {
    enum learn mode;
    uint32_t after;  /* so many refusals */
    uint32_t within; /* seconds */
    uint32_t keep;   /* seconds that a finding lives */
};

struct network_config {
    struct words lan; /* interface names; none means automatic */
    bool lan_auto;
    struct port_range *ports;
    size_t port_count;
    uint32_t listen_port;
    bool use_queue;
    uint32_t queue;
    uint32_t mark, mark_mask; /* `mark` within `mark_mask` marks what is taken */
    bool fail_closed;
    bool source_device;
    bool external_ruleset;
    uint32_t pass_timeout;  /* seconds */
    uint32_t drain_timeout; /* seconds */
    uint32_t route_table;
    uint32_t workers; /* 0: one a core */
    enum watching watch_dns;
    bool listed_devices;     /* only devices with a section of their own are looked at */
    struct words leases;     /* files of DHCP servers; */
    bool leases_auto;        /* those that are usual */
    bool watch_mdns;         /* names that devices tell by multicast DNS */
    const char *vendor_file; /* whose MAC addresses are whose; NULL: none */
    enum quic quic;
};

/* How far an origin's own failings are passed on to the device. */
enum upstream_mode {
    UPSTREAM_UNSET,
    UPSTREAM_MIRROR, /* the device's own checks decide: it is shown what the origin showed */
    UPSTREAM_VERIFY, /* an origin that does not verify is refused */
    UPSTREAM_IGNORE, /* any origin is presented as a good one */
};

enum answer { ANSWER_UNSET, ANSWER_NO, ANSWER_YES };

/* What becomes of a connection when the server asks for the device's certificate. */
enum client_mode {
    CLIENT_UNSET,
    CLIENT_SPLICE,  /* it passes untouched, so that the device can show its own */
    CLIENT_WITHOUT, /* it goes on with none */
    CLIENT_SHOWN,   /* it goes on with one of the operator's */
};

struct client_choice {
    enum client_mode mode;
    const struct credentials *credentials; /* for CLIENT_SHOWN */
};

/* How TLS is spoken: may be set for destinations, for devices and, in [tls], for all. 0 where
 * nothing is set. rules.h has what becomes of it. */
struct tls_scope {
    const char *section; /* where it is set: "[destination bank]" */
    struct place place;
    enum upstream_mode upstream;
    int min_version; /* towards devices, as OpenSSL numbers it */
    enum answer legacy_server;
    struct client_choice client;
};

/* How it is found out that an origin's certificate was taken back. */
enum revocation { REVOCATION_OFF, REVOCATION_STAPLE, REVOCATION_CRL };

struct tls_config {
    const char *ca;
    const char *trust;
    const char *intermediates; /* NULL: none */
    enum revocation revocation;
    const char *crl_directory;     /* NULL: none */
    struct words name_constraints; /* domains that our CA may vouch for; none: all */
    const char *keylog;            /* NULL: none */
    struct tls_scope scope;        /* everything is set */
};

/* What becomes of what was decrypted, as packets. */
struct capture_config {
    const char *directory; /* of files; NULL: "captures", where the state is */
    uint64_t limit;        /* bytes of a file */
    struct address live;   /* where they may be had; family 0: nowhere */
    const char *mirror;    /* the interface that they are sent out on; NULL: none */
};

struct destination_config {
    struct tls_scope scope;
    struct rules_config rules;             /* which connections are meant */
    const struct credentials *certificate; /* shown instead of a forgery; NULL: none */
    struct destination_config *next;
};

/* So many rules of three kinds go into one transaction with the kernel. */
#define DEVICE_SECTIONS_LIMIT 1024

struct device_config {
    struct tls_scope scope;
    const char *name; /* as the section is called */
    bool has_mac, has_address;
    uint8_t mac[MAC_SIZE];
    struct address address; /* or the network of these addresses: */
    uint8_t prefix;         /* so many bits of it count */
    const char *interface;  /* NULL: any */
    bool intercept;
    bool inherits; /* made at run time: `intercept` is for the next section to say */
    enum quic quic;
    struct rules_config ignore; /* beside those for all */
    struct device_config *next;
};

struct store_config {
    const char *file; /* NULL: no store */
    uint32_t keep;    /* seconds */
    uint64_t size;    /* bytes */
};

/* What was given for a key that is no section's with a name. */
struct given {
    const char *text;   /* NULL: nothing; of a key that repeats, all of it */
    struct place place; /* no file: it is the default */
};

struct config {
    struct arena arena; /* of everything below */
    const char *path;
    struct network_config network;
    struct rules_config ignore, allow;
    struct rules_config tcp; /* TLS is ended, and what is in it is not interpreted */
    struct learn_config learn;
    struct tls_config tls;
    struct destination_config *destinations; /* in the order of the file */
    struct device_config *devices;           /* likewise */
    struct device_config *overlays;          /* made at run time: they go before those */
    struct credentials *credentials;         /* all that were read, to be freed */
    const char *events_file;                 /* NULL: no records are kept */
    bool ignored_events;                     /* also of what passes in the kernel */
    bool keep_credentials;                   /* in records; else they are redacted */
    uint32_t bodies;                         /* of which so many bytes are recorded; 0: none */
    uint64_t rotate_size;                    /* bytes, of the records' file; 0: it grows on */
    uint32_t rotate_keep;                    /* older ones that are kept */
    uint32_t stats_interval;                 /* of `stats` events, in s; 0: there are none */
    struct capture_config capture;
    struct store_config store;
    const char *control_socket;
    const char *read_socket; /* of those who may only ask; NULL: beside the other */
    const char *state_directory;
    bool has_user; /* the engine is to run as: */
    uid_t user;
    gid_t group;
    struct given *given; /* by the key's place in the schema */
};

/* Reads the file and the patterns given on the command line. Everything that is wrong goes into
 * `report`: with an error in it the configuration is not to be used, but what could be read of it
 * can be checked further. NULL only if the file cannot be read at all. */
struct config *config_load(const char *path, const char *const *ignore, size_t ignore_count,
                           struct report *report) must_check;

/* The same from memory; `path` is for messages and for finding files that are named in it. */
struct config *config_parse(const char *text, size_t length, const char *path,
                            const char *const *ignore, size_t ignore_count,
                            struct report *report) must_check;

void config_free(struct config *config);

#endif
