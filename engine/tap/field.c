/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/field.h"

#define LONGEST 24

struct field_name {
    char text[LONGEST + 1]; /* in place: one memory access less for each header */
    enum http_field field;
};

/* By their length; behind the last of each there is an empty one. */
static const struct field_name names[LONGEST + 1][7] = {
    [4] = {{"host", HTTP_FIELD_HOST}},
    [5] = {{":path", HTTP_FIELD_PATH}},
    [6] = {{"accept", HTTP_FIELD_ACCEPT},
           {"origin", HTTP_FIELD_URL},
           {"cookie", HTTP_FIELD_CREDENTIAL},
           {"apikey", HTTP_FIELD_CREDENTIAL}},
    [7] = {{":method", HTTP_FIELD_METHOD},
           {":status", HTTP_FIELD_STATUS},
           {"referer", HTTP_FIELD_REFERER},
           {"upgrade", HTTP_FIELD_UPGRADE},
           {"cookie2", HTTP_FIELD_CREDENTIAL},
           {"api-key", HTTP_FIELD_CREDENTIAL}},
    [8] = {{"location", HTTP_FIELD_LOCATION}},
    [9] = {{"x-api-key", HTTP_FIELD_CREDENTIAL}},
    [10] = {{":authority", HTTP_FIELD_AUTHORITY},
            {"user-agent", HTTP_FIELD_USER_AGENT},
            {"set-cookie", HTTP_FIELD_CREDENTIAL}},
    [11] = {{"grpc-status", HTTP_FIELD_GRPC_STATUS}, {"set-cookie2", HTTP_FIELD_CREDENTIAL}},
    [12] = {{"content-type", HTTP_FIELD_CONTENT_TYPE},
            {"grpc-message", HTTP_FIELD_GRPC_MESSAGE},
            {"x-auth-token", HTTP_FIELD_CREDENTIAL},
            {"x-csrf-token", HTTP_FIELD_CREDENTIAL}},
    [13] = {{"authorization", HTTP_FIELD_CREDENTIAL}},
    [14] = {{"x-goog-api-key", HTTP_FIELD_CREDENTIAL}},
    [15] = {{"x-forwarded-for", HTTP_FIELD_X_FORWARDED_FOR}},
    [16] = {{"content-encoding", HTTP_FIELD_CONTENT_ENCODING},
            {"content-location", HTTP_FIELD_URL}},
    [19] = {{"proxy-authorization", HTTP_FIELD_CREDENTIAL}},
    [20] = {{"x-amz-security-token", HTTP_FIELD_CREDENTIAL}},
    [24] = {{"sec-websocket-extensions", HTTP_FIELD_WEBSOCKET_EXTENSIONS}},
};

enum http_field field_of(struct text name)
{
    if (name.length > LONGEST)
        return HTTP_FIELD_OTHER;
    for (const struct field_name *at = names[name.length]; at->text[0] != '\0'; at++)
        if (text_equals_nocase(name, text_from(at->text, name.length)))
            return at->field;
    return HTTP_FIELD_OTHER;
}

bool field_is_url(enum http_field field)
{
    return field == HTTP_FIELD_PATH || field == HTTP_FIELD_REFERER ||
           field == HTTP_FIELD_LOCATION || field == HTTP_FIELD_URL;
}
