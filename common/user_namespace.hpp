// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace banger {

/// Puts this process, of one thread, into a user namespace of its own, where its user and group are themselves and no other id is known, and
/// into new namespaces of the kinds in `also` (CLONE_NEWNET, CLONE_NEWNS). It has all capabilities there until its next exec.
/// Throws HostLacks; then it may be half inside.
void enter_user_namespace(int also);

}  // namespace banger
