// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::agent {

/// What an image that is being made is called among all that is; its name for people, too.
inline std::string image_key(const std::string& name) { return "image " + name; }

}  // namespace banger::agent
