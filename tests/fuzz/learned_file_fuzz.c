/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/learned_file.h"

#include <string.h>

/* To be freed. */
static char *write_list(const struct learned_list *list)
{
    struct jsonw json;
    jsonw_init_growing(&json);
    learned_file_write(&json, list);
    const char *text = jsonw_text(&json);
    must_hold(text != NULL);
    char *copy = strdup(text);
    must_hold(copy != NULL);
    jsonw_fini(&json);
    return copy;
}

/* What is taken in can be written, and read again as the same. */
static void live_on(const struct learned_list *list)
{
    struct learned *learned = learned_new();
    struct learned_list now, again;
    must_hold(learned != NULL);
    const bool restored = learned_restore(learned, list);
    must_hold(learned_copy(learned, &now));
    must_hold(restored || now.finding_count + now.device_count == 0);
    if (restored) {
        must_hold(now.finding_count <= list->finding_count);
        must_hold(now.device_count == list->device_count);
        char *text = write_list(&now);
        must_hold(learned_file_read(&again, text, strlen(text)) == NULL);
        char *second = write_list(&again);
        must_hold(again.finding_count == now.finding_count);
        must_hold(strcmp(text, second) == 0);
        learned_list_fini(&again);
        free(text);
        free(second);
    }
    learned_list_fini(&now);
    learned_free(learned);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct learned_list list;
    const char *complaint = learned_file_read(&list, (const char *)bytes, length);
    if (complaint != NULL) {
        must_hold(complaint[0] != '\0');
        must_hold(list.finding_count == 0 && list.device_count == 0);
    } else {
        must_hold(list.finding_count <= LEARNED_LIMIT);
        must_hold(list.device_count <= LEARNED_DEVICES_LIMIT);
        for (size_t i = 0; i < list.finding_count; i++) {
            const struct learned_finding *finding = &list.findings[i];
            must_hold(finding->id >= 1 && finding->id <= list.last_id && finding->port != 0);
            must_hold(finding->host[0] != '\0' && finding->state != LEARNED_COUNTING);
            must_hold(finding->evidence.refusals > 0);
        }
        live_on(&list);
    }
    learned_list_fini(&list);
    return 0;
}
