// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/history.hpp"
#include "cli/view/vm_numbers.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace banger::cli::tui {

/// What a VM uses, over the last samples of Manager.Stats. All of it is what the guest and its VMM say.
struct Usage {
    Numbers last;    ///< as Manager.Stats gave them
    History cpu;     ///< percent of one core
    History memory;  ///< percent of what the VM has
    History disk;    ///< bytes a second, read and written
};

/// A VM as Manager.ListVms has it.
struct VmRow {
    std::string id;
    std::string name;
    std::string state;
    std::string image;
    std::uint32_t vcpus{0};
    std::uint32_t memory_mib{0};
    std::uint64_t disk_bytes{0};
    std::string address;
    std::int64_t created{0};
    std::string vmm;
    std::string reason;
    std::string storage;
    std::string network;
    bool nat{false};
    std::string warning;
    Usage usage{};
};

struct ImageRow {
    std::string name;
    std::string digest;
    std::uint64_t size{0};
    std::uint64_t used{0};
    std::string origin;
    std::int64_t created{0};
    std::vector<std::string> users;
};

struct OperationRow {
    std::string path{};
    std::string kind{};
    std::string target{};
    std::string stage{};
    double fraction{-1};  ///< of the stage; -1: not known
    std::string state{"running"};
    std::string error{};  ///< its sentence
};

/// One check of Manager.Doctor.
struct HostRow {
    std::size_t number{0};  ///< in Doctor's order
    std::string check;
    std::string verdict;  ///< ok, warn or missing
    std::string detail;
    std::string mend;
};

/// What `vm show` tells, in its order: key and value for people.
using Facts = std::vector<std::pair<std::string, std::string>>;

}  // namespace banger::cli::tui
