/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/har_cookies.h"

#include "policy/http_event.h"

#include <time.h>

/* "name=value", without the blanks around both. */
struct pair {
    struct text name, value;
    bool has_value; /* there is a "=" */
};

static struct text trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return text_from(at, (size_t)(end - at));
}

/* Takes the next one off the text, up to a semicolon. False if there is none. */
static bool next_pair(struct text *text, struct pair *pair)
{
    if (text->length == 0)
        return false;
    const char *end = memchr(text->at, ';', text->length);
    const char *stop = end != NULL ? end : text->at + text->length;
    const char *sign = memchr(text->at, '=', (size_t)(stop - text->at));
    pair->has_value = sign != NULL;
    pair->name = trim(text->at, sign != NULL ? sign : stop);
    pair->value = sign != NULL ? trim(sign + 1, stop) : text_from(stop, 0);
    const size_t taken = (size_t)(stop - text->at) + (end != NULL);
    *text = text_from(text->at + taken, text->length - taken);
    return true;
}

static json_t *cookie_of(const struct pair *pair)
{
    return json_pack("{s:s%, s:s%}", "name", pair->name.at, pair->name.length, "value",
                     pair->value.at, pair->value.length);
}

static void add_sent(json_t *cookies, struct text header)
{
    struct pair pair;
    while (next_pair(&header, &pair))
        if (pair.has_value)
            json_array_append_new(cookies, cookie_of(&pair));
}

/* RFC 9110, section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT"; and with hyphens, as Netscape had it.
 */
static json_t *expiry_of(struct text text)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%Y %H:%M:%S GMT"};
    char date[64], iso[64];
    snprintf(date, sizeof(date), "%.*s", (int)(text.length < 63 ? text.length : 63), text.at);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct tm parts = {0};
        const char *rest = strptime(date, forms[i], &parts);
        if (rest == NULL || *rest != '\0')
            continue;
        strftime(iso, sizeof(iso), "%Y-%m-%dT%H:%M:%SZ", &parts);
        return json_string(iso);
    }
    return NULL;
}

static void add_attribute(json_t *cookie, const struct pair *pair)
{
    const struct text value = pair->value;
    if (text_is_nocase(pair->name, "path"))
        json_object_set_new(cookie, "path", json_stringn(value.at, value.length));
    else if (text_is_nocase(pair->name, "domain"))
        json_object_set_new(cookie, "domain", json_stringn(value.at, value.length));
    else if (text_is_nocase(pair->name, "expires"))
        json_object_set_new(cookie, "expires", expiry_of(value));
    else if (text_is_nocase(pair->name, "httponly"))
        json_object_set_new(cookie, "httpOnly", json_true());
    else if (text_is_nocase(pair->name, "secure"))
        json_object_set_new(cookie, "secure", json_true());
    else if (text_is_nocase(pair->name, "samesite"))
        json_object_set_new(cookie, "sameSite", json_stringn(value.at, value.length));
}

static void add_set(json_t *cookies, struct text header)
{
    struct pair pair;
    if (!next_pair(&header, &pair) || !pair.has_value)
        return;
    json_t *cookie = cookie_of(&pair);
    while (next_pair(&header, &pair))
        add_attribute(cookie, &pair);
    json_array_append_new(cookies, cookie);
}

static json_t *cookies_of(const json_t *event, enum http_side side, const char *name,
                          void (*add)(json_t *cookies, struct text header))
{
    json_t *cookies = json_array();
    const json_t *headers = http_event_headers(event, side), *header;
    size_t index;
    json_array_foreach(headers, index, header)
    {
        const struct text found = event_text(header, "name"), value = event_text(header, "value");
        if (found.at != NULL && value.at != NULL && text_is_nocase(found, name))
            add(cookies, value);
    }
    return cookies;
}

json_t *har_cookies_sent(const json_t *event)
{
    return cookies_of(event, HTTP_REQUEST, "cookie", add_sent);
}

json_t *har_cookies_set(const json_t *event)
{
    return cookies_of(event, HTTP_RESPONSE, "set-cookie", add_set);
}
