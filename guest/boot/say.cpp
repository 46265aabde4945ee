// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/say.hpp"

#include <unistd.h>

namespace banger::guest {

void say(const std::string& line) noexcept
{
    try {
        const auto whole = "banger-guest: " + line + "\n";
        (void)!::write(STDERR_FILENO, whole.data(), whole.size());
    } catch (...) {  // NOLINT(bugprone-empty-catch): no memory for a message is no reason to stop
    }
}

}  // namespace banger::guest
