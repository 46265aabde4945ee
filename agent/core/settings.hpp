// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "agent/core/config.hpp"
#include "common/paths.hpp"

namespace banger::agent {

/// The settings of a bangerd that runs: a file that may change meanwhile, and variables that win over it. Those of keys that all
/// requests share are bangerd's own, or what a client brought first; those of the other keys are each caller's. Loop thread, but for now().
class Settings {
public:
    /// `own`: bangerd's environment. Throws InvalidArgument that names each mistake.
    Settings(std::filesystem::path file, HostFacts host, const Variables& own);

    /// As one request has them: the file read anew, and the caller's variables. Throws InvalidArgument.
    Config for_request(const Variables& caller) const;
    /// As for_request(), with origins and without a throw.
    ConfigReport report(const Variables& caller) const;

    /// As bangerd itself has them: the last that had no mistake. Any thread.
    std::shared_ptr<const Config> now() const;
    /// Takes the variables of a client's that bangerd has none of yet, and a log level in any case. Throws WrongState, which names
    /// `banger daemon stop`, where the others differ from bangerd's; InvalidArgument. True: it took something.
    bool share(const Variables& caller);
    /// Each variable that share() may take, with what bangerd has; "" for none.
    Variables shared_variables() const;
    /// Looks whether the file is another by now; gives what is wrong with it, once, and then now() stays.
    std::optional<std::string> refresh();

    const HostFacts& host() const noexcept { return host_; }

private:
    /// Of a file; all zero for one that isn't there.
    struct Identity {
        std::uint64_t inode{0};
        std::int64_t size{0};
        std::int64_t changed_ns{0};
        bool operator==(const Identity&) const = default;
    };
    Identity identity() const;
    Variables with(const Variables& caller) const;
    void set(Config config);
    std::optional<std::string> reload();

    std::filesystem::path file_;
    HostFacts host_;
    Variables shared_;
    Identity seen_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Config> now_;
};

/// Refuses a client whose XDG_* (with HOME) lead to other folders than bangerd's: what it asked for would go elsewhere. Throws WrongState,
/// which names `banger daemon stop`.
void check_same_folders(const Paths& ours, const Variables& caller);

}  // namespace banger::agent
