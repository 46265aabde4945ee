// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace banger::confine {

enum class Sockets {
    None,
    Listening,  ///< it makes some in its folder, and calls none
    Unix,       ///< it makes some in its folder, and calls those that are there
};

/// The network namespace that the VMM is in, and with it the abstract Unix sockets that it could call.
enum class Network {
    Given,  ///< one of its own, in which this program is started
    None,   ///< an empty one, made with its root folder
    Host,   ///< the host's
};

/// What the VMM may use. Names are those of files in its folder, which is the folder that this program is started in.
struct Arguments {
    bool check{false};
    std::vector<std::string> read;
    std::vector<std::string> write;    ///< files, or links to block devices
    std::vector<std::string> append;   ///< made where they are missing
    std::vector<std::string> devices;  ///< absolute paths
    Sockets sockets{Sockets::None};
    Network network{Network::Given};
    std::string connect{};       ///< a socket in the folder whose connection the VMM gets as descriptor 3; empty: none
    std::vector<char*> program;  ///< with a null pointer at its end
    std::filesystem::path folder;  ///< empty with --check
};

/// `folder`: of the VM, without symbolic links. Throws InvalidArgument.
Arguments parse_arguments(std::span<char*> words, std::filesystem::path folder);

}  // namespace banger::confine
