// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/core/image/image_config.hpp"

namespace banger::agent {

/// Makes an unpacked OCI image fit for many VMs: takes out what must differ between two of them (machine id, sshd's host keys), and makes the
/// folder that its configuration works in, as docker would. `tree`: its root, the user's own as the namespace's root made it; what somebody else
/// of the namespace owns is passed over. Links in it never lead out of it. Throws NoSpace, Failed.
void finish_pulled_tree(const std::filesystem::path& tree, const ImageConfig& config);

/// Whether banger-guest will find the image's own systemd and start it (guest/README.md, Boot).
bool has_systemd(const std::filesystem::path& tree);

}  // namespace banger::agent
