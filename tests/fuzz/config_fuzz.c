/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/config.h"

#include <string.h>

static unsigned line_count(const uint8_t *bytes, size_t length)
{
    unsigned count = 1;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\n';
    return count;
}

/* Files that the text names are looked for where there are none. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char name[] = "/nonexistent/fuzz.conf";
    struct report report = {0};
    struct config *config = config_parse((const char *)bytes, length, name, NULL, 0, &report);
    must_hold(config != NULL);

    size_t lines = 0;
    struct report_line *line;
    if (report.errors > 0)
        STAILQ_FOREACH (line, &report.lines, link) {
            must_hold(line->text[0] != '\0');
            lines++;
        }
    must_hold(lines == report.errors);
    if (report.errors == 0) {
        must_hold(config->network.listen_port >= 1 && config->network.listen_port <= 65535);
        must_hold(config->network.port_count > 0);
        for (size_t i = 0; i < config->network.port_count; i++)
            must_hold(config->network.ports[i].first <= config->network.ports[i].last);
        must_hold((config->network.mark & ~config->network.mark_mask) == 0);
        must_hold(config->tls.ca != NULL && config->control_socket != NULL);
        for (size_t i = 0; i < config->ignore.patterns.count; i++) {
            struct place place = config->ignore.patterns.items[i].place;
            must_hold(place.line >= 1 && place.line <= line_count(bytes, length));
        }
        for (struct device_config *device = config->devices; device != NULL; device = device->next)
            must_hold(device->has_mac || device->has_address);
    }
    config_free(config);
    report_fini(&report);
    return 0;
}
