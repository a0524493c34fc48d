/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/schema.h"

#include "gate/interfaces.h"
#include "policy/pattern_file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <pwd.h>
#include <string.h>
#include <sys/un.h>

/* As many as fit into one transaction with the kernel. */
#define PORT_RANGES_LIMIT 512

static const char no_memory[] = "out of memory";

/* A whole number in decimal or, with 0x, in hexadecimal, up to `limit`; NULL if there is none at
 * `text`, else the first character behind it. */
static const char *read_number(const char *text, uint64_t limit, uint64_t *number)
{
    if (!isdigit((unsigned char)*text))
        return NULL;
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, hexadecimal ? 16 : 10);
    if (errno != 0 || end == text || value > limit)
        return NULL;
    *number = value;
    return end;
}

static bool parse_whole_number(const char *text, uint64_t limit, uint64_t *number)
{
    const char *end = read_number(text, limit, number);
    return end != NULL && *end == '\0';
}

static const char *parse_port(const struct value *value, void *field)
{
    uint64_t number;
    if (!parse_whole_number(value->text, UINT16_MAX, &number) || number == 0)
        return "expected a port from 1 to 65535";
    *(uint32_t *)field = (uint32_t)number;
    return NULL;
}

static const char *parse_table(const struct value *value, void *field)
{
    uint64_t number;
    /* It is the rule's preference, too, which is to come before table main's (32766). */
    if (!parse_whole_number(value->text, 32765, &number) || number == 0 ||
        (number >= 253 && number <= 255))
        return "expected a number from 1 to 32765 that is not the kernel's (253 to 255)";
    *(uint32_t *)field = (uint32_t)number;
    return NULL;
}

static const char *parse_workers(const struct value *value, void *field)
{
    uint64_t number = 0;
    if (strcmp(value->text, "auto") != 0 &&
        (!parse_whole_number(value->text, 256, &number) || number == 0))
        return "expected auto, or a number from 1 to 256";
    *(uint32_t *)field = (uint32_t)number;
    return NULL;
}

static const char *parse_count(const struct value *value, void *field)
{
    uint64_t number = 0;
    if (!parse_whole_number(value->text, 1000, &number) || number == 0)
        return "expected a number from 1 to 1000";
    *(uint32_t *)field = (uint32_t)number;
    return NULL;
}

static const char *parse_queue(const struct value *value, void *field)
{
    struct network_config *network = &value->config->network;
    (void)field;
    uint64_t number = 0;
    network->use_queue = strcmp(value->text, "none") != 0;
    if (network->use_queue && !parse_whole_number(value->text, UINT16_MAX, &number))
        return "expected a queue number from 0 to 65535, or none";
    network->queue = (uint32_t)number;
    return NULL;
}

static const char *parse_mark(const struct value *value, void *field)
{
    struct network_config *network = &value->config->network;
    (void)field;
    uint64_t mark, mask;
    const char *slash = read_number(value->text, UINT32_MAX, &mark);
    if (slash == NULL || *slash != '/' || !parse_whole_number(slash + 1, UINT32_MAX, &mask))
        return "expected VALUE/MASK, such as 0x0c00/0x0f00";
    if ((mark & ~mask) != 0)
        return "the value has bits outside the mask";
    if (mark == 0 || __builtin_popcountll(mask) < 2)
        return "expected a value other than 0 in a mask of at least two bits";
    network->mark = (uint32_t)mark;
    network->mark_mask = (uint32_t)mask;
    return NULL;
}

/* A number of bytes, with k, m or g behind for larger units; up to a tebibyte. False if it is none.
 */
static bool read_size(const char *text, uint64_t *size)
{
    static const char units[] = "kmg";
    const uint64_t largest = UINT64_C(1) << 40;
    const char *unit = read_number(text, largest, size);
    if (unit == NULL || *unit == '\0')
        return unit != NULL;
    const char *known = strchr(units, *unit);
    if (known == NULL || unit[1] != '\0')
        return false;
    const int shift = 10 * ((int)(known - units) + 1);
    if (*size > largest >> shift)
        return false;
    *size <<= shift;
    return true;
}

/* More would not fit into a line of records, for a request and its response. */
static const char *parse_bodies(const struct value *value, void *field)
{
    uint64_t size = 0;
    if (strcmp(value->text, "none") != 0 &&
        (!read_size(value->text, &size) || size == 0 || size > UINT64_C(64) << 10))
        return "expected none, or a size from 1 to 64k, such as 1000, 4k";
    *(uint32_t *)field = (uint32_t)size;
    return NULL;
}

static const char *parse_store_size(const struct value *value, void *field)
{
    uint64_t size = 0;
    if (!read_size(value->text, &size) || size < UINT64_C(1) << 20)
        return "expected a size from 1m on, such as 100m, 1g";
    *(uint64_t *)field = size;
    return NULL;
}

static const char *parse_rotation(const struct value *value, void *field)
{
    uint64_t size = 0;
    if (strcmp(value->text, "none") != 0 &&
        (!read_size(value->text, &size) || size < UINT64_C(64) << 10))
        return "expected none, or a size from 64k on, such as 100m, 1g";
    *(uint64_t *)field = size;
    return NULL;
}

const char *schema_duration(const char *text, uint32_t *seconds)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    static const char expected[] = "expected a time from 1s to 365d, such as 30s, 10m, 1h, 7d";
    const uint64_t longest = UINT64_C(365) * 86400;
    uint64_t number;
    const char *unit = read_number(text, longest, &number);
    if (unit == NULL)
        return expected;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(unit, units[i].unit) != 0)
            continue;
        number *= units[i].seconds;
        if (number == 0 || number > longest)
            return expected;
        *seconds = (uint32_t)number;
        return NULL;
    }
    return expected;
}

static const char *parse_duration(const struct value *value, void *field)
{
    return schema_duration(value->text, field);
}

static const char *parse_interval(const struct value *value, void *field)
{
    *(uint32_t *)field = 0;
    return strcmp(value->text, "none") == 0 ? NULL : schema_duration(value->text, field);
}

/* The index of `text` in a NULL-terminated list of words; -1 if it is none of them. */
static int word_index(const char *text, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

/* The words stand for the values from `first` on. */
#define DEFINE_CHOICE(name, type, first, expected, ...)             \
    static const char *name(const struct value *value, void *field) \
    {                                                               \
        static const char *const words[] = {__VA_ARGS__, NULL};     \
        int index = word_index(value->text, words);                 \
        if (index < 0)                                              \
            return expected;                                        \
        *(type *)field = (type)(index + (int)(first));              \
        return NULL;                                                \
    }

DEFINE_CHOICE(parse_failure, bool, false, "expected open or closed", "open", "closed")
DEFINE_CHOICE(parse_source, bool, false, "expected router or device", "router", "device")
DEFINE_CHOICE(parse_ruleset, bool, false, "expected managed or external", "managed", "external")
DEFINE_CHOICE(parse_yes_no, bool, false, "expected yes or no", "no", "yes")
DEFINE_CHOICE(parse_answer, enum answer, ANSWER_NO, "expected yes or no", "no", "yes")
DEFINE_CHOICE(parse_upstream, enum upstream_mode, UPSTREAM_MIRROR,
              "expected mirror, verify or ignore", "mirror", "verify", "ignore")

DEFINE_CHOICE(parse_watching, enum watching, WATCH_AUTO, "expected auto, no or yes", "auto", "no",
              "yes")
DEFINE_CHOICE(parse_quic, enum quic, QUIC_REFUSE, "expected refuse or pass", "refuse", "pass")
DEFINE_CHOICE(parse_learn, enum learn, LEARN_OFF, "expected off, suggest or auto", "off", "suggest",
              "auto")
DEFINE_CHOICE(parse_devices, bool, false, "expected all or listed", "all", "listed")

DEFINE_CHOICE(parse_redaction, bool, false, "expected redact or keep", "redact", "keep")

DEFINE_CHOICE(parse_revocation, enum revocation, REVOCATION_OFF, "expected off, staple or crl",
              "off", "staple", "crl")

static const char *parse_version(const struct value *value, void *field)
{
    static const char *const words[] = {"1.0", "1.1", "1.2", "1.3", NULL};
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    int index = word_index(value->text, words);
    if (index < 0)
        return "expected 1.0, 1.1, 1.2 or 1.3";
    *(int *)field = versions[index];
    return NULL;
}

static const char *parse_path(const struct value *value, void *field)
{
    if (value->text[0] != '/')
        return "expected a path that starts with /";
    char *copy = arena_strdup(&value->config->arena, value->text);
    if (copy == NULL)
        return no_memory;
    *(const char **)field = copy;
    return NULL;
}

static const char *parse_vendors(const struct value *value, void *field)
{
    *(const char **)field = NULL;
    if (strcmp(value->text, "none") == 0)
        return NULL;
    return value->text[0] == '/' ? parse_path(value, field)
                                 : "expected none, or a path that starts with /";
}

static const char *parse_credentials(const struct value *value, void *field)
{
    const char *complaint;
    if (value->text[0] != '/')
        return "expected a path that starts with /";
    struct credentials *credentials = credentials_load(value->text, &complaint);
    if (credentials == NULL)
        return complaint;
    credentials->next = value->config->credentials;
    value->config->credentials = credentials;
    *(const struct credentials **)field = credentials;
    return NULL;
}

static const char *parse_client(const struct value *value, void *field)
{
    static const char *const words[] = {"splice", "without", NULL};
    struct client_choice *choice = field;
    int index = word_index(value->text, words);
    if (index >= 0)
        choice->mode = (enum client_mode)(CLIENT_SPLICE + index);
    else if (value->text[0] != '/')
        return "expected splice, without, or a path that starts with /";
    else
        choice->mode = CLIENT_SHOWN;
    return index >= 0 ? NULL : parse_credentials(value, &choice->credentials);
}

static const char *parse_socket(const struct value *value, void *field)
{
    return strlen(value->text) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
               ? parse_path(value, field)
               : "expected a path of at most 107 characters";
}

static const char *add_word(struct arena *arena, struct words *words, const char *word)
{
    const char **items = arena_alloc(arena, (words->count + 1) * sizeof(*items));
    char *copy = arena_strdup(arena, word);
    if (items == NULL || copy == NULL)
        return no_memory;
    if (words->count > 0)
        memcpy(items, words->items, words->count * sizeof(*items));
    items[words->count++] = copy;
    words->items = items;
    return NULL;
}

/* Calls `use` for each word of the value; the first complaint ends it. */
static const char *each_word(const struct value *value, void *field,
                             const char *(*use)(const struct value *value, const char *word,
                                                void *field))
{
    char *rest = arena_strdup(&value->config->arena, value->text);
    if (rest == NULL)
        return no_memory;
    char *word;
    size_t count = 0;
    while ((word = strsep(&rest, " \t,")) != NULL) {
        if (*word == '\0')
            continue;
        count++;
        const char *complaint = use(value, word, field);
        if (complaint != NULL)
            return complaint;
    }
    return count > 0 ? NULL : "expected a value";
}

static const char *use_interface(const struct value *value, const char *word, void *field)
{
    struct words *lan = field;
    if (value->config->network.lan_auto || strcmp(word, "auto") == 0)
        return "auto cannot stand beside names";
    if (lan->count == INTERFACES_LIMIT)
        return "more than 256 interfaces";
    if (strlen(word) >= IFNAMSIZ || strchr(word, '/') != NULL)
        return "expected auto, or names of network interfaces";
    return add_word(&value->config->arena, lan, word);
}

static const char *parse_lan(const struct value *value, void *field)
{
    struct words *lan = field;
    if (strcmp(value->text, "auto") != 0)
        return each_word(value, field, use_interface);
    value->config->network.lan_auto = true;
    return lan->count == 0 ? NULL : "auto cannot stand beside names";
}

static const char *use_port(const struct value *value, const char *word, void *field)
{
    static const char expected[] = "expected ports or ranges from 1 to 65535, or all";
    struct network_config *network = &value->config->network;
    (void)field;
    struct port_range range = {1, UINT16_MAX};
    if (network->port_count == PORT_RANGES_LIMIT)
        return "more than 512 ports and ranges";
    if (strcmp(word, "all") != 0) {
        uint64_t first, last;
        const char *end = read_number(word, UINT16_MAX, &first);
        if (end == NULL)
            return expected;
        last = first;
        if (*end == '-')
            end = read_number(end + 1, UINT16_MAX, &last);
        if (end == NULL || *end != '\0' || first == 0 || last < first)
            return expected;
        range = (struct port_range){(uint16_t)first, (uint16_t)last};
    }
    struct port_range *ports =
        arena_alloc(&value->config->arena, (network->port_count + 1) * sizeof(*ports));
    if (ports == NULL)
        return no_memory;
    if (network->port_count > 0)
        memcpy(ports, network->ports, network->port_count * sizeof(*ports));
    ports[network->port_count++] = range;
    network->ports = ports;
    return NULL;
}

/* RFC 5280, 4.2.1.10: a dot in front means what is below the domain only. */
static const char *use_domain(const struct value *value, const char *word, void *field)
{
    const char *labels = word[0] == '.' ? word + 1 : word;
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = strlen(labels);
    if (length == 0 || length > 253 || labels[strspn(labels, allowed)] != '\0' ||
        labels[0] == '.' || strstr(labels, "..") != NULL)
        return "expected domains, such as vendor.example";
    return add_word(&value->config->arena, field, word);
}

static const char *parse_domains(const struct value *value, void *field)
{
    return each_word(value, field, use_domain);
}

static const char *parse_user(const struct value *value, void *field)
{
    struct config *config = value->config;
    bool automatic = strcmp(value->text, "auto") == 0;
    uint64_t number;
    (void)field;
    config->has_user = true;
    if (parse_whole_number(value->text, INT32_MAX, &number)) {
        config->user = (uid_t)number;
        config->group = (gid_t)number;
        return NULL;
    }
    const struct passwd *user = getpwnam(automatic ? "interceptd" : value->text);
    config->has_user = user != NULL;
    if (user == NULL)
        return automatic ? NULL : "there is no such user";
    config->user = user->pw_uid;
    config->group = user->pw_gid;
    return NULL;
}

static const char *parse_ports(const struct value *value, void *field)
{
    return each_word(value, field, use_port);
}

static const char *use_match(const struct value *value, const char *word, void *field)
{
    static const char *const words[] = {"address", "dns", "sni", "host", NULL};
    (void)value;
    int index = word_index(word, words);
    if (index < 0)
        return "expected some of address, dns, sni, host";
    *(unsigned *)field |= 1u << index;
    return NULL;
}

static const char *parse_match(const struct value *value, void *field)
{
    return each_word(value, field, use_match);
}

static const char *parse_pattern(const struct value *value, void *field)
{
    char *copy = arena_strdup(&value->config->arena, value->text);
    struct pattern_source source = {.text = copy, .place = value->place, .column = value->column};
    if (copy == NULL || !pattern_list_add(field, &value->config->arena, source))
        return no_memory;
    return NULL;
}

/* A relative name is looked up beside the configuration file. */
static const char *parse_pattern_file(const struct value *value, void *field)
{
    const char *slash = strrchr(value->config->path, '/');
    char path[PATH_MAX];
    int size;
    if (value->text[0] == '/' || slash == NULL)
        size = snprintf(path, sizeof(path), "%s", value->text);
    else
        size = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - value->config->path),
                        value->config->path, value->text);
    if (size <= 0 || (size_t)size >= sizeof(path))
        return "the path is too long";
    if (!pattern_file_load(field, &value->config->arena, path, value->report))
        return strerror(errno);
    return NULL;
}

static const char *parse_mac(const struct value *value, void *field)
{
    struct device_config *device = container_of(field, struct device_config, mac);
    char again[MAC_TEXT_SIZE];
    unsigned bytes[MAC_SIZE] = {0};
    device->has_mac = true;
    (void)sscanf(value->text, "%2x:%2x:%2x:%2x:%2x:%2x", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
                 &bytes[4], &bytes[5]);
    for (size_t i = 0; i < MAC_SIZE; i++)
        device->mac[i] = (uint8_t)bytes[i];
    /* Only if it reads as it is written was it all of it. */
    return strcasecmp(mac_text(device->mac, again), value->text) == 0
               ? NULL
               : "expected a MAC address such as 02:00:5e:10:00:01";
}

/* "192.0.2.7" or, for all of a network, "192.0.2.0/24". */
static const char *parse_address(const struct value *value, void *field)
{
    static const char expected[] =
        "expected an IPv4 or IPv6 address, or a network such as 192.0.2.0/24";
    struct device_config *device = container_of(field, struct device_config, address);
    char text[ADDRESS_TEXT_SIZE + 8];
    const char *slash = strchrnul(value->text, '/');
    device->has_address = true;
    int size = snprintf(text, sizeof(text), "%.*s:0", (int)(slash - value->text), value->text);
    if (size < 0 || (size_t)size >= sizeof(text) || !address_parse(&device->address, text))
        return expected;
    const uint64_t bits = address_ip_size(&device->address) * 8;
    uint64_t prefix = bits;
    if (*slash == '/' && !parse_whole_number(slash + 1, bits, &prefix))
        return expected;
    device->prefix = (uint8_t)prefix;
    return NULL;
}

static const char *parse_interface(const struct value *value, void *field)
{
    if (*value->text == '\0' || strlen(value->text) >= IFNAMSIZ ||
        strpbrk(value->text, "/ \t") != NULL)
        return "expected the name of a network interface";
    *(const char **)field = arena_strdup(&value->config->arena, value->text);
    return *(const char **)field != NULL ? NULL : no_memory;
}

static const char *parse_capture_limit(const struct value *value, void *field)
{
    return read_size(value->text, field) && *(uint64_t *)field >= UINT64_C(1) << 20
               ? NULL
               : "expected a size from 1m on, such as 100m, 4g";
}

/* The port that tools look at for packets over TCP. */
#define LIVE_PORT 57012

/* "127.0.0.1", "[::1]:57013". */
static const char *parse_live(const struct value *value, void *field)
{
    struct address *address = field;
    address->family = 0;
    if (strcmp(value->text, "none") == 0)
        return NULL;
    if (address_ip_parse(address, value->text)) {
        address->port = LIVE_PORT;
        return NULL;
    }
    return address_parse(address, value->text) && address->port != 0
               ? NULL
               : "expected none, or an IP address, also with a port, such as 127.0.0.1:57012";
}

static const char *use_lease_file(const struct value *value, const char *word, void *field)
{
    if (value->config->network.leases_auto || strcmp(word, "auto") == 0)
        return "auto cannot stand beside paths";
    if (word[0] != '/')
        return "expected auto, or paths that start with /";
    return add_word(&value->config->arena, field, word);
}

static const char *parse_leases(const struct value *value, void *field)
{
    struct words *leases = field;
    if (strcmp(value->text, "none") == 0)
        return NULL;
    if (strcmp(value->text, "auto") != 0)
        return each_word(value, field, use_lease_file);
    value->config->network.leases_auto = true;
    return leases->count == 0 ? NULL : "auto cannot stand beside paths";
}

#define FIELD(member) offsetof(struct config, member)
#define DEVICE(member) offsetof(struct device_config, member)
#define DESTINATION(member) offsetof(struct destination_config, member)

const struct schema_key schema[] = {
    {"network", "lan", "auto", true, parse_lan, FIELD(network.lan)},
    {"network", "port", "443", true, parse_ports, FIELD(network.ports)},
    {"network", "listen-port", "8443", false, parse_port, FIELD(network.listen_port)},
    {"network", "queue", "77", false, parse_queue, FIELD(network.queue)},
    {"network", "mark", "0x0c00/0x0f00", false, parse_mark, FIELD(network.mark)},
    {"network", "on-failure", "open", false, parse_failure, FIELD(network.fail_closed)},
    {"network", "source-address", "router", false, parse_source, FIELD(network.source_device)},
    {"network", "ruleset", "managed", false, parse_ruleset, FIELD(network.external_ruleset)},
    {"network", "pass-timeout", "1h", false, parse_duration, FIELD(network.pass_timeout)},
    {"network", "drain-timeout", "10s", false, parse_duration, FIELD(network.drain_timeout)},
    {"network", "route-table", "77", false, parse_table, FIELD(network.route_table)},
    {"network", "workers", "auto", false, parse_workers, FIELD(network.workers)},
    {"network", "watch-dns", "auto", false, parse_watching, FIELD(network.watch_dns)},
    {"network", "devices", "all", false, parse_devices, FIELD(network.listed_devices)},
    {"network", "leases", "auto", true, parse_leases, FIELD(network.leases)},
    {"network", "watch-mdns", "yes", false, parse_yes_no, FIELD(network.watch_mdns)},
    {"network", "vendors", "/usr/share/ieee-data/oui.txt", false, parse_vendors,
     FIELD(network.vendor_file)},
    {"network", "quic", "refuse", false, parse_quic, FIELD(network.quic)},

    {"ignore", "pattern", NULL, true, parse_pattern, FIELD(ignore.patterns)},
    {"ignore", "file", NULL, true, parse_pattern_file, FIELD(ignore.patterns)},
    {"ignore", "match", "address", true, parse_match, FIELD(ignore.match)},
    {"ignore", "learn", "off", false, parse_learn, FIELD(learn.mode)},
    {"ignore", "after-rejections", "3", false, parse_count, FIELD(learn.after)},
    {"ignore", "rejections-within", "1h", false, parse_duration, FIELD(learn.within)},
    {"ignore", "learned-for", "30d", false, parse_duration, FIELD(learn.keep)},
    {"allow", "pattern", NULL, true, parse_pattern, FIELD(allow.patterns)},
    {"allow", "file", NULL, true, parse_pattern_file, FIELD(allow.patterns)},
    {"allow", "match", "address", true, parse_match, FIELD(allow.match)},
    {"tcp", "pattern", NULL, true, parse_pattern, FIELD(tcp.patterns)},
    {"tcp", "file", NULL, true, parse_pattern_file, FIELD(tcp.patterns)},
    {"tcp", "match", "address sni", true, parse_match, FIELD(tcp.match)},

    {"tls", "ca", "/var/lib/interceptd/ca.pem", false, parse_path, FIELD(tls.ca)},
    {"tls", "name-constraints", NULL, true, parse_domains, FIELD(tls.name_constraints)},
    {"tls", "upstream", "mirror", false, parse_upstream, FIELD(tls.scope.upstream)},
    {"tls", "trust", "/etc/ssl/certs/ca-certificates.crt", false, parse_path, FIELD(tls.trust)},
    {"tls", "intermediates", NULL, false, parse_path, FIELD(tls.intermediates)},
    {"tls", "revocation", "off", false, parse_revocation, FIELD(tls.revocation)},
    {"tls", "crl-directory", NULL, false, parse_path, FIELD(tls.crl_directory)},
    {"tls", "keylog", NULL, false, parse_path, FIELD(tls.keylog)},
    {"tls", "min-version", "1.2", false, parse_version, FIELD(tls.scope.min_version)},
    {"tls", "legacy-server", "no", false, parse_answer, FIELD(tls.scope.legacy_server)},
    {"tls", "client-certificate", "splice", false, parse_client, FIELD(tls.scope.client)},

    {"destination", "pattern", NULL, true, parse_pattern, DESTINATION(rules.patterns)},
    {"destination", "file", NULL, true, parse_pattern_file, DESTINATION(rules.patterns)},
    {"destination", "match", "address sni", true, parse_match, DESTINATION(rules.match)},
    {"destination", "upstream", NULL, false, parse_upstream, DESTINATION(scope.upstream)},
    {"destination", "min-version", NULL, false, parse_version, DESTINATION(scope.min_version)},
    {"destination", "legacy-server", NULL, false, parse_answer, DESTINATION(scope.legacy_server)},
    {"destination", "client-certificate", NULL, false, parse_client, DESTINATION(scope.client)},
    {"destination", "certificate", NULL, false, parse_credentials, DESTINATION(certificate)},

    {"device", "mac", NULL, false, parse_mac, DEVICE(mac)},
    {"device", "address", NULL, false, parse_address, DEVICE(address)},
    {"device", "interface", NULL, false, parse_interface, DEVICE(interface)},
    {"device", "intercept", "yes", false, parse_yes_no, DEVICE(intercept)},
    {"device", "quic", NULL, false, parse_quic, DEVICE(quic)},
    {"device", "pattern", NULL, true, parse_pattern, DEVICE(ignore.patterns)},
    {"device", "file", NULL, true, parse_pattern_file, DEVICE(ignore.patterns)},
    {"device", "match", "address", true, parse_match, DEVICE(ignore.match)},
    {"device", "upstream", NULL, false, parse_upstream, DEVICE(scope.upstream)},
    {"device", "min-version", NULL, false, parse_version, DEVICE(scope.min_version)},
    {"device", "legacy-server", NULL, false, parse_answer, DEVICE(scope.legacy_server)},
    {"device", "client-certificate", NULL, false, parse_client, DEVICE(scope.client)},

    {"events", "file", NULL, false, parse_path, FIELD(events_file)},
    {"events", "ignored", "yes", false, parse_yes_no, FIELD(ignored_events)},
    {"events", "credentials", "redact", false, parse_redaction, FIELD(keep_credentials)},
    {"events", "bodies", "none", false, parse_bodies, FIELD(bodies)},
    {"events", "rotate-size", "100m", false, parse_rotation, FIELD(rotate_size)},
    {"events", "rotate-keep", "5", false, parse_count, FIELD(rotate_keep)},
    {"events", "stats-interval", "1m", false, parse_interval, FIELD(stats_interval)},

    {"capture", "directory", NULL, false, parse_path, FIELD(capture.directory)},
    {"capture", "limit", "1g", false, parse_capture_limit, FIELD(capture.limit)},
    {"capture", "live", "none", false, parse_live, FIELD(capture.live)},
    {"capture", "mirror", NULL, false, parse_interface, FIELD(capture.mirror)},

    {"store", "file", NULL, false, parse_path, FIELD(store.file)},
    {"store", "keep", "30d", false, parse_duration, FIELD(store.keep)},
    {"store", "size", "1g", false, parse_store_size, FIELD(store.size)},

    {"control", "socket", "/run/interceptd/control.sock", false, parse_socket,
     FIELD(control_socket)},
    {"control", "read-socket", NULL, false, parse_socket, FIELD(read_socket)},
    {"control", "user", "auto", false, parse_user, FIELD(user)},
    {"control", "state", "/var/lib/interceptd", false, parse_path, FIELD(state_directory)},
};
const size_t schema_size = ARRAY_SIZE(schema);

const struct schema_key *schema_find(const char *section, const char *name)
{
    for (size_t i = 0; i < schema_size; i++)
        if (strcmp(schema[i].section, section) == 0 && strcmp(schema[i].name, name) == 0)
            return &schema[i];
    return NULL;
}

bool schema_has_section(const char *section)
{
    for (size_t i = 0; i < schema_size; i++)
        if (strcmp(schema[i].section, section) == 0)
            return true;
    return false;
}

bool schema_is_named(const char *section)
{
    return strcmp(section, "device") == 0 || strcmp(section, "destination") == 0;
}
