// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// A bus of bangerd's own, for hosts without a session bus: dbus-daemon, for this uid alone, on FOLDER/INSTANCE.sock. It ends with
/// bangerd, however that ends.
class PrivateBus {
public:
    /// The folder is made 0700, and refused when somebody else may write it. Throws HostLacks (no dbus-daemon), NotAuthorized, Failed.
    explicit PrivateBus(const std::filesystem::path& folder, const std::string& instance = "bangerd");
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;
    ~PrivateBus();

    const std::string& address() const noexcept { return address_; }

private:
    void end(int signal) noexcept;

    std::string address_;
    int pid_{0};
};

}  // namespace banger::agent
