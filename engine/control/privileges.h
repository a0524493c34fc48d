/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * privileges.h - the rights that the engine runs with: as few as it needs.
 *
 * It is started as root, prepares what root alone can, and becomes its own user with CAP_NET_ADMIN
 * and nothing more. Our CA's key is then out of its reach (tls/signer.h). Where it is not started
 * as root, or there is no such user, it keeps the user that it has, and loses the other rights. */
#ifndef CONTROL_PRIVILEGES_H
#define CONTROL_PRIVILEGES_H

#include "policy/config.h"

/* Makes the directories that records, keys and the control socket lie in, and hands over what the
 * engine's user has to write: what is new, what bears our name, and the state. The CA's file stays
 * root's, and cannot be removed or replaced. False after the reason was logged. */
bool privileges_prepare(const struct config *config) must_check;

/* To be called while there is one thread. False after the reason was logged. */
bool privileges_drop(const struct config *config) must_check;

#endif
