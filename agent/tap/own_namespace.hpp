// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace banger::tap {

/// Moves this process, which must have one thread, into a user and network namespace of its own. It stays the same user, with all
/// capabilities inside until drop_capabilities(). Throws HostLacks, saying what forbids it.
void enter_own_namespace();

/// For the rest of this process's life. Throws Failed.
void drop_capabilities();

}  // namespace banger::tap
