/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/vendors.h"

#include <string.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

struct prefix {
    uint32_t number; /* the first 24 bits */
    uint32_t name;   /* where it starts in `names` */
};

struct vendors {
    struct prefix *prefixes; /* in the order of their numbers */
    size_t count, capacity;
    char *names; /* each with a NUL behind */
    size_t names_size, names_capacity;
};

/* Only while reading: where a name is already. */
struct known_name {
    char text[VENDOR_NAME_SIZE];
    uint32_t at;
    UT_hash_handle hh;
};

static bool grow(void **items, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity > 0 ? *capacity * 2 : 1024;
    void *grown = realloc(*items, larger * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = larger;
    return true;
}

static bool add_name(struct vendors *vendors, struct known_name **known, const char *text,
                     uint32_t *at)
{
    struct known_name *name;
    HASH_FIND_STR(*known, text, name);
    if (name == NULL) {
        size_t size = strlen(text) + 1;
        name = malloc(sizeof(*name));
        if (name == NULL || !grow((void **)&vendors->names, &vendors->names_capacity,
                                  vendors->names_size + size, 1)) {
            free(name);
            return false;
        }
        memcpy(name->text, text, size);
        memcpy(vendors->names + vendors->names_size, text, size);
        name->at = (uint32_t)vendors->names_size;
        vendors->names_size += size;
        HASH_ADD_STR(*known, text, name);
    }
    *at = name->at;
    return true;
}

static void free_known(struct known_name *known)
{
    struct known_name *name = known;
    HASH_CLEAR(hh, known);
    while (name != NULL) {
        struct known_name *next = name->hh.next;
        free(name);
        name = next;
    }
}
#pragma GCC diagnostic pop

/* "28-CD-C1". */
static bool read_prefix(const char *text, uint32_t *number)
{
    static const char digits[] = "0123456789ABCDEF";
    *number = 0;
    for (size_t i = 0; i < 8; i++) {
        if (i % 3 == 2) {
            if (text[i] != '-')
                return false;
            continue;
        }
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return false;
        *number = *number << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static void clean_name(char name[static VENDOR_NAME_SIZE], const char *text, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length && used < VENDOR_NAME_SIZE - 1; i++) {
        char c = is_blank(text[i]) ? ' ' : text[i];
        if (c != ' ' || (used > 0 && name[used - 1] != ' '))
            name[used++] = c;
    }
    while (used > 0 && name[used - 1] == ' ')
        used--;
    name[used] = '\0';
}

/* False if there is no memory; a line of another kind is passed over. */
static bool read_line(struct vendors *vendors, struct known_name **known, const char *line,
                      size_t length)
{
    static const char mark[] = "(hex)";
    char name[VENDOR_NAME_SIZE];
    struct prefix prefix;
    const char *found = length > 8 ? memmem(line + 8, length - 8, mark, strlen(mark)) : NULL;
    if (found == NULL || !read_prefix(line, &prefix.number))
        return true;
    const char *rest = found + strlen(mark);
    clean_name(name, rest, (size_t)(line + length - rest));
    if (name[0] == '\0')
        return true;
    if (!grow((void **)&vendors->prefixes, &vendors->capacity, vendors->count + 1,
              sizeof(prefix)) ||
        !add_name(vendors, known, name, &prefix.name))
        return false;
    vendors->prefixes[vendors->count++] = prefix;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct prefix *first = a, *second = b;
    return (first->number > second->number) - (first->number < second->number);
}

/* Gives back what growing has taken too much. */
static void fit(struct vendors *vendors)
{
    void *prefixes = realloc(vendors->prefixes, vendors->count * sizeof(struct prefix) + 1);
    void *names = realloc(vendors->names, vendors->names_size + 1);
    if (prefixes != NULL)
        vendors->prefixes = prefixes;
    if (names != NULL)
        vendors->names = names;
}

struct vendors *vendors_parse(const char *text, size_t length)
{
    struct vendors *vendors = calloc(1, sizeof(*vendors));
    struct known_name *known = NULL;
    bool good = vendors != NULL;
    while (good && length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end != NULL ? (size_t)(end - text) : length;
        good = read_line(vendors, &known, text, line);
        line += end != NULL;
        text += line;
        length -= line;
    }
    free_known(known);
    if (!good) {
        vendors_free(vendors);
        return NULL;
    }
    fit(vendors);
    if (vendors->count > 0)
        qsort(vendors->prefixes, vendors->count, sizeof(struct prefix), compare);
    return vendors;
}

void vendors_free(struct vendors *vendors)
{
    if (vendors == NULL)
        return;
    free(vendors->prefixes);
    free(vendors->names);
    free(vendors);
}

size_t vendors_count(const struct vendors *vendors)
{
    return vendors->count;
}

size_t vendors_memory(const struct vendors *vendors)
{
    return sizeof(*vendors) + vendors->count * sizeof(struct prefix) + vendors->names_size;
}

const char *vendors_find(const struct vendors *vendors, const uint8_t mac[static MAC_SIZE])
{
    const struct prefix wanted = {(uint32_t)mac[0] << 16 | (uint32_t)mac[1] << 8 | mac[2], 0};
    if (vendors->count == 0 || mac_is_randomized(mac))
        return NULL;
    const struct prefix *found =
        bsearch(&wanted, vendors->prefixes, vendors->count, sizeof(wanted), compare);
    return found != NULL ? vendors->names + found->name : NULL;
}
