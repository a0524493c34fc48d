/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/lease_file.h"

#include "core/text.h"

#include <string.h>

struct reading {
    void (*each)(void *context, const struct lease *lease);
    void *context;
};

/* ---- text ---- */

struct span {
    const char *at;
    size_t length;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static struct span take_until(struct span *rest, char end)
{
    const char *found = memchr(rest->at, end, rest->length);
    struct span part = {rest->at, found != NULL ? (size_t)(found - rest->at) : rest->length};
    size_t used = found != NULL ? part.length + 1 : part.length;
    *rest = (struct span){rest->at + used, rest->length - used};
    return part;
}

static struct span take_line(struct span *rest)
{
    return take_until(rest, '\n');
}

/* Of no length if there is none left. */
static struct span take_word(struct span *line)
{
    struct span word = {line->at, 0};
    while (line->length > 0 && is_blank(*line->at))
        *line = (struct span){line->at + 1, line->length - 1};
    for (word.at = line->at; word.length < line->length && !is_blank(word.at[word.length]);)
        word.length++;
    *line = (struct span){line->at + word.length, line->length - word.length};
    return word;
}

static bool is_word(struct span word, const char *text)
{
    return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

static bool is_number(struct span word)
{
    for (size_t i = 0; i < word.length; i++)
        if (word.at[i] < '0' || word.at[i] > '9')
            return false;
    return word.length > 0;
}

static bool read_address(struct span word, struct address *address)
{
    char text[INET6_ADDRSTRLEN];
    if (word.length == 0 || word.length >= sizeof(text))
        return false;
    memcpy(text, word.at, word.length);
    text[word.length] = '\0';
    return address_ip_parse(address, text);
}

/* "02:00:5e:10:00:01" or, with `step` 2, "02005e100001". */
static bool read_mac(struct span word, size_t step, uint8_t mac[static MAC_SIZE])
{
    if (word.length != MAC_SIZE * step - (step - 2))
        return false;
    for (size_t i = 0; i < MAC_SIZE; i++) {
        const char *at = word.at + i * step;
        int byte = hex_pair(at);
        if (byte < 0 || (step == 3 && i + 1 < MAC_SIZE && at[2] != ':'))
            return false;
        mac[i] = (uint8_t)byte;
    }
    return true;
}

static void set_name(struct lease *lease, struct span name)
{
    lease->name = name.at;
    lease->name_length = name.length;
}

static void note(const struct reading *reading, const struct lease *lease)
{
    reading->each(reading->context, lease);
}

/* ---- dnsmasq ---- */

/* "EXPIRES MAC|IAID ADDRESS NAME|* ID": IPv6 leases have no MAC address, but the same places. */
static bool read_dnsmasq(struct span line, struct lease *lease)
{
    *lease = (struct lease){0};
    if (!is_number(take_word(&line)))
        return false;
    lease->has_mac = read_mac(take_word(&line), 3, lease->mac);
    if (!read_address(take_word(&line), &lease->address))
        return false;
    struct span name = take_word(&line);
    if (!is_word(name, "*"))
        set_name(lease, name);
    return name.length > 0;
}

static void read_dnsmasq_file(const struct reading *reading, struct span rest)
{
    struct lease lease;
    while (rest.length > 0)
        if (read_dnsmasq(take_line(&rest), &lease))
            note(reading, &lease);
}

/* ---- odhcpd ---- */

/* A line of hosts(5): "ADDRESS NAME.DOMAIN NAME". The last is the device's own. */
static bool read_host(struct span line, struct lease *lease)
{
    struct span word;
    *lease = (struct lease){0};
    if (!read_address(take_word(&line), &lease->address))
        return false;
    while ((word = take_word(&line)).length > 0)
        set_name(lease, word);
    return lease->name_length > 0;
}

/* "# INTERFACE DUID IAID NAME|- EXPIRES ID BITS ADDRESS/BITS..."; for IPv4 the DUID is the MAC
 * address, and the IAID says "ipv4". What is left of the line are the addresses. */
static bool read_odhcpd(struct span *line, struct lease *lease)
{
    *lease = (struct lease){0};
    if (!is_word(take_word(line), "#") || take_word(line).length == 0)
        return false;
    struct span id = take_word(line);
    bool is_ipv4 = is_word(take_word(line), "ipv4");
    lease->has_mac = is_ipv4 && read_mac(id, 2, lease->mac);
    struct span name = take_word(line);
    /* "broken\x20": it is no name that DNS could have. */
    bool is_broken = name.length > 6 && memcmp(name.at, "broken\\", 7) == 0;
    if (!is_word(name, "-") && !is_broken)
        set_name(lease, name);
    struct span expires = take_word(line);
    if (expires.length > 1 && expires.at[0] == '-') /* never */
        expires = (struct span){expires.at + 1, expires.length - 1};
    return is_number(expires) && take_word(line).length > 0 && is_number(take_word(line));
}

static void note_odhcpd(const struct reading *reading, struct span line, struct lease *lease)
{
    struct span word;
    while ((word = take_word(&line)).length > 0) {
        struct span address = take_until(&word, '/');
        /* Networks are handed to routers, not to devices. */
        if (read_address(address, &lease->address) &&
            is_word(word, lease->address.family == AF_INET ? "32" : "128"))
            note(reading, lease);
    }
}

static void read_odhcpd_file(const struct reading *reading, struct span rest)
{
    struct lease lease;
    while (rest.length > 0) {
        struct span line = take_line(&rest);
        if (read_host(line, &lease))
            note(reading, &lease);
        else if (read_odhcpd(&line, &lease))
            note_odhcpd(reading, line, &lease);
    }
}

/* ---- Kea ---- */

static struct span field_of(struct span line, struct span header, const char *column)
{
    while (header.length > 0) {
        struct span name = take_until(&header, ','), value = take_until(&line, ',');
        while (name.length > 0 && is_blank(name.at[name.length - 1]))
            name.length--;
        if (is_word(name, column))
            return value;
    }
    return (struct span){line.at, 0};
}

static bool read_kea(struct span line, struct span header, struct lease *lease)
{
    *lease = (struct lease){0};
    struct span state = field_of(line, header, "state");
    struct span lifetime = field_of(line, header, "valid_lifetime");
    bool is_over = (state.length > 0 && !is_word(state, "0")) || is_word(lifetime, "0");
    if (!read_address(field_of(line, header, "address"), &lease->address) ||
        is_word(field_of(line, header, "lease_type"), "2")) /* a network, for a router */
        return false;
    lease->has_mac = read_mac(field_of(line, header, "hwaddr"), 3, lease->mac);
    if (!is_over)
        set_name(lease, field_of(line, header, "hostname"));
    return true;
}

static void read_kea_file(const struct reading *reading, struct span rest)
{
    struct span header = take_line(&rest);
    struct lease lease;
    while (rest.length > 0)
        if (read_kea(take_line(&rest), header, &lease))
            note(reading, &lease);
}

/* ---- ISC dhcpd ---- */

/* The next mark ('{', '}' or ';'), or 'w' for a word, which may stand in quotes; 0 at the end. */
static char take_token(struct span *rest, struct span *word)
{
    while (rest->length > 0 && (is_blank(*rest->at) || *rest->at == '\n' || *rest->at == '#'))
        if (*rest->at == '#')
            (void)take_line(rest);
        else
            *rest = (struct span){rest->at + 1, rest->length - 1};
    if (rest->length == 0)
        return 0;
    char first = *rest->at;
    bool quoted = first == '"', marks = first == '{' || first == '}' || first == ';';
    size_t length = quoted || marks ? 1 : 0;
    while (!marks && length < rest->length) {
        char c = rest->at[length];
        if (quoted ? c == '"' : is_blank(c) || strchr("\n{};\"", c) != NULL)
            break;
        length += quoted && c == '\\' && length + 1 < rest->length ? 2 : 1;
    }
    *word = (struct span){rest->at + quoted, length - quoted};
    if (quoted && length < rest->length)
        length++;
    *rest = (struct span){rest->at + length, rest->length - length};
    return marks ? first : 'w';
}

#define STATEMENT_WORDS 3

/* A statement's first words, up to its mark. */
static char take_statement(struct span *rest, struct span words[static STATEMENT_WORDS])
{
    struct span word;
    char mark;
    memset(words, 0, STATEMENT_WORDS * sizeof(*words));
    for (size_t i = 0; (mark = take_token(rest, &word)) == 'w'; i++)
        if (i < STATEMENT_WORDS)
            words[i] = word;
    return mark;
}

static void skip_block(struct span *rest)
{
    struct span word;
    size_t depth = 1;
    while (depth > 0) {
        char mark = take_token(rest, &word);
        if (mark == 0)
            return;
        depth += mark == '{';
        depth -= mark == '}';
    }
}

/* False if the block has no end: it is being written. */
static bool take_lease(struct span *rest, struct lease *lease)
{
    struct span words[STATEMENT_WORDS];
    bool is_over = false;
    char mark;
    while ((mark = take_statement(rest, words)) != '}') {
        if (mark == 0)
            return false;
        if (mark == '{')
            skip_block(rest);
        else if (is_word(words[0], "hardware") && is_word(words[1], "ethernet"))
            lease->has_mac = read_mac(words[2], 3, lease->mac);
        else if (is_word(words[0], "client-hostname"))
            set_name(lease, words[1]);
        else if (is_word(words[0], "binding") && is_word(words[1], "state"))
            is_over = !is_word(words[2], "active");
    }
    if (is_over)
        lease->name_length = 0;
    return true;
}

static void read_isc_file(const struct reading *reading, struct span rest)
{
    struct span words[STATEMENT_WORDS];
    char mark;
    while ((mark = take_statement(&rest, words)) != 0) {
        struct lease lease = {0};
        if (mark != '{')
            continue;
        if (!is_word(words[0], "lease") || !read_address(words[1], &lease.address))
            skip_block(&rest);
        else if (take_lease(&rest, &lease))
            note(reading, &lease);
    }
}

/* ---- which of them ---- */

static enum lease_format format_of_line(struct span line)
{
    struct lease lease;
    struct span words = line;
    struct span first = take_word(&words);
    if (is_word(first, "lease") || is_word(first, "server-duid") ||
        is_word(first, "authoring-byte-order"))
        return LEASES_ISC;
    if (is_word(first, "duid") || read_dnsmasq(line, &lease))
        return LEASES_DNSMASQ;
    words = line;
    if (read_host(line, &lease) || read_odhcpd(&words, &lease))
        return LEASES_ODHCPD;
    return LEASES_UNKNOWN;
}

/* ISC's files begin with remarks; others with what they are. */
static enum lease_format find_format(struct span rest)
{
    static const char kea[] = "address,";
    enum lease_format format = LEASES_UNKNOWN;
    if (rest.length >= strlen(kea) && memcmp(rest.at, kea, strlen(kea)) == 0)
        return LEASES_KEA;
    while (rest.length > 0 && format == LEASES_UNKNOWN)
        format = format_of_line(take_line(&rest));
    return format;
}

enum lease_format lease_file_read(const char *text, size_t length,
                                  void (*each)(void *context, const struct lease *lease),
                                  void *context)
{
    static void (*const readers[])(const struct reading *reading, struct span rest) = {
        [LEASES_DNSMASQ] = read_dnsmasq_file,
        [LEASES_ISC] = read_isc_file,
        [LEASES_ODHCPD] = read_odhcpd_file,
        [LEASES_KEA] = read_kea_file,
    };
    const struct reading reading = {each, context};
    struct span rest = {text, length};
    enum lease_format format = find_format(rest);
    if (format != LEASES_UNKNOWN)
        readers[format](&reading, rest);
    return format;
}
