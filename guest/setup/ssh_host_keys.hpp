// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace banger::guest {

/// Makes an ed25519 host key for sshd where `folder` has no host key at all; the image of many VMs must have none. May be called
/// by several processes at once; may wait for another one. For tasks and units, as it takes a second. Throws Failed.
void make_ssh_host_keys(const std::string& folder = "/etc/ssh");

/// Lines of the public keys of which the private half is there.
std::vector<std::string> ssh_host_keys(const std::string& folder = "/etc/ssh");

}  // namespace banger::guest
