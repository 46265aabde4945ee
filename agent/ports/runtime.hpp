// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace banger::agent {

enum class RuntimeState {
    Ok,
    Missing,
    Damaged,
    Unchecked,  ///< a bundle's file of the right size that was not read yet
};

/// A program of others that banger fetched, or would; or a file of a bundle.
struct RuntimeProgram {
    std::string name;  ///< "firecracker" or "jailer"; of a bundle: as in bundle.json
    std::string version;
    std::filesystem::path path;  ///< where it is, or will be
    RuntimeState state;
    std::string origin;   ///< the source it came from; empty while missing
    std::string problem;  ///< why it isn't Ok, as a sentence's end; empty when it is
};

/// How far a fetch got, and whether it shall end; called on the fetching thread.
struct RuntimeProgress {
    std::function<void(const std::string& stage)> stage;
    std::function<void(double fraction)> fraction;  ///< of the stage, 0 to 1
    std::stop_token stop;
};

/// What a fetch did. A source that gave something else than promised is told even where a later one made up for it.
struct FetchOutcome {
    std::vector<std::string> fetched;  ///< names of programs that weren't there before
    std::vector<std::string> missing;  ///< names of programs that a given file or folder didn't have
    std::vector<std::string> warnings;
};

/// Firecracker and jailer, pinned by sha256 (agent/runtime-bundle.toml).
class RuntimePrograms {
public:
    RuntimePrograms() = default;
    RuntimePrograms(const RuntimePrograms&) = delete;
    RuntimePrograms& operator=(const RuntimePrograms&) = delete;
    virtual ~RuntimePrograms() = default;

    /// The file of a program whose checksum held when it was put there, and that hasn't changed since (size, time and inode are
    /// looked at, not the bytes). Any thread; reads small files only.
    /// Throws HostLacks (missing or damaged, with the command that mends it), InvalidArgument (no such program, or a bad manifest),
    /// NotFound (the manifest that BANGER_RUNTIME_BUNDLE names).
    virtual std::filesystem::path find(std::string_view name) const = 0;
    /// All parts of the bundle that is found, then the manifest's programs that aren't in it, looked at as by find(). Throws
    /// InvalidArgument, NotFound (both of a manifest), CorruptData (bundle.json), NotAuthorized (others may write the bundle).
    virtual std::vector<RuntimeProgram> list() const = 0;
    /// As list(), but every byte is read. Worker thread. Throws also Cancelled, Failed.
    virtual std::vector<RuntimeProgram> verify(const std::stop_token& stop) const = 0;
    /// Puts there what isn't Ok. `from`: a file or folder of the user's to take it from; empty: the sources of the manifest.
    /// Worker thread, for minutes. Throws Failed (no source answers), CorruptData (wrong checksum, damaged archive), NotFound, NoSpace,
    /// InUse (another bangerd of this user fetches), InvalidArgument (a bad manifest), Cancelled.
    virtual FetchOutcome fetch(const std::filesystem::path& from, const RuntimeProgress& progress) = 0;
};

}  // namespace banger::agent
