// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "agent/core/image/image_config.hpp"
#include "agent/ports/guest_link.hpp"

namespace banger::agent {

/// What of its image's a command gets, as the flags of Vm.Exec ask for it.
struct ImageUse {
    bool settings{false};     ///< environment, user and folder, each under what is given
    bool entrypoint{false};   ///< before argv
    bool own_command{false};  ///< entrypoint and command in place of argv
};

/// Entrypoint and command don't count where the image's systemd is its init. Throws NotFound where that leaves no argv, InvalidArgument where
/// there was none and nothing of the image's was asked for. `image`: its name, for the sentence.
void apply_image(GuestCommand& command, const std::optional<ImageConfig>& config, const ImageUse& use,
                 const std::string& image);

}  // namespace banger::agent
