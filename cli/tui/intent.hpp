// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>

namespace banger::cli::tui {

/// What a user wants done.
enum class Verb {
    Quit,
    // To a VM; Intent::target is its id
    Start,
    Stop,
    Restart,
    Kill,
    Delete,
    ForceDelete,
    NatOn,
    NatOff,
    Shell,  ///< a login shell through banger's own channel, on this terminal
    Ssh,    ///< the same by OpenSSH
    Change,
    Create,
    Export,  ///< by `vm export`, on this terminal
    Ports,   ///< ask for what listens, and what leads there
    Forward,
    EndForward,  ///< the value `port` is its place on this host
    // To images; the target is its digest
    DeleteImage,
    VerifyImage,
    MakeDefaults,  ///< the usual image and kernel
    // To an operation; the target is its object's path
    Cancel,
    Examine,  ///< look at the host anew
};

struct Intent {
    Verb verb{Verb::Quit};
    std::string target{};
    std::string name{};                           ///< what people call the target
    std::map<std::string, std::string> values{};  ///< of a form, those that were filled in
};

}  // namespace banger::cli::tui
