/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pcap.h - `interceptctl pcap`: packets of what was decrypted. */
#ifndef CTL_PCAP_H
#define CTL_PCAP_H

#include "ctl/options.h"

/* `pcap [list] | start FILE [FILTER] | stop [FILE]`; `arguments` are those behind `pcap`. */
enum status pcap_command(const struct options *options, int count, char **arguments) must_check;

#endif
