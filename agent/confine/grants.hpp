// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/confine/arguments.hpp"
#include "common/unique_fd.hpp"

namespace banger::confine {

enum class Access {
    Enter,  ///< nothing but passing through: the VM's folder
    Run,
    Read,
    Write,
    Append,
    Device,
    MakeSockets,  ///< in the VM's folder
};

/// Something of the host's files that the VMM may use; everything else it may not.
struct Grant {
    UniqueFd file;             ///< O_PATH, of what is meant, behind all links
    std::filesystem::path at;  ///< absolute, as the VMM names it
    Access access;
    bool is_folder;
    std::string link{};  ///< of a folder: the text of the link that stands at `at`; empty: there is none
};

/// What every program needs of the system, what these arguments name, and the program. What a system hasn't is left out; a file of the VM's
/// that isn't there, or isn't of the kind that it should be, is an error. Throws Failed, NotFound, CorruptData.
std::vector<Grant> open_grants(const Arguments& arguments);

}  // namespace banger::confine
