/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/filter.h"

#include <string.h>

static const char event_text[] =
    "{\"event_type\":\"http\",\"src_ip\":\"10.0.0.8\",\"src_port\":50013,\"dest_ip\":"
    "\"2001:db8::1\",\"dest_port\":443,\"http\":{\"hostname\":\"api.example.com\",\"url\":\"/v1\","
    "\"http_method\":\"POST\",\"status\":404,\"http_request_body\":\"AGE=\",\"request_headers\":"
    "[{\"name\":\"a\",\"value\":\"b\"}]},\"intercept\":{\"ending\":\"device_alert\"}}";

/* Whatever it is, it holds or its denial does; and what is wrong with it is at a place in it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = strndup((const char *)bytes, length > 2000 ? 2000 : length);
    char denied[2100];
    struct filter_fault fault = {0}, other = {0};
    must_hold(text != NULL);
    const size_t size = strlen(text);
    struct filter *filter = filter_new(text, &fault);
    if (filter == NULL) {
        must_hold(fault.column >= 1 && fault.column <= size + 1 && fault.what[0] != '\0');
        free(text);
        return 0;
    }
    json_t *event = json_loads(event_text, 0, NULL);
    must_hold(event != NULL);
    const bool holds = filter_matches(filter, event);
    must_hold(filter_matches(filter, event) == holds);
    snprintf(denied, sizeof(denied), "!(%s)", text);
    struct filter *denial = strspn(text, " \t\n\v\f\r") < size ? filter_new(denied, &other) : NULL;
    if (denial != NULL)
        must_hold(filter_matches(denial, event) != holds);
    else
        must_hold(strspn(text, " \t\n\v\f\r") == size || strcmp(other.what, "too deep") == 0);
    json_decref(event);
    filter_free(filter);
    filter_free(denial);
    free(text);
    return 0;
}
