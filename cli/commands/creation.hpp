// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/create_options.hpp"
#include "cli/connect/operation.hpp"
#include "common/unique_fd.hpp"

#include <optional>
#include <string>

namespace banger::cli {

/// A user's signal ended the work; what it had made is undone.
struct Interrupted {
    int signal;
};

/// What came of a Manager.CreateVm.
struct Created {
    std::string path;  ///< of the Vm object; "/" for a dry run
    std::string name;
    std::string id;
    std::string plan;  ///< only of a dry run
};

/// One create under way, from the call to the VM that is ready.
class Creation {
public:
    Creation(Agent& agent, SignalInbox& signals, Progress& progress)
        : agent_{&agent}, signals_{&signals}, progress_{&progress}
    {
    }

    /// Makes the default kernel and image first where they are asked for and missing, unless options.no_build.
    /// `map`: options.to_map() and what the command adds. Throws Interrupted, and what bangerd says.
    Created run(const CreateOptions& options, const VariantMap& map);
    /// The VM's object as soon as there is one, also when run() throws.
    const std::optional<std::string>& path() const noexcept { return path_; }

private:
    void make_defaults(const CreateOptions& options, const Error& missing);
    VariantMap watch(const std::string& target, const std::string& operation);
    std::pair<std::string, std::string> call(const VariantMap& map);

    Agent* agent_;
    SignalInbox* signals_;
    Progress* progress_;
    std::optional<std::string> path_;
};

/// A VM that goes when this program does, however it ends: the kernel closes our end of the lease.
struct Lease {
    UniqueFd ours;
    UniqueFd theirs;
};
Lease make_lease();

/// A setting as bangerd has it for this caller, without quotes. nullopt: it knows no such key.
std::optional<std::string> configured_value(ManagerProxy& manager, const std::string& key);

/// A text of an operation's result; "" when it isn't there.
std::string text_of(const VariantMap& result, const std::string& key);

}  // namespace banger::cli
