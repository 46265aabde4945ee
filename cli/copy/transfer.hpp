// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/connect/agent.hpp"
#include "cli/copy/archive.hpp"
#include "cli/copy/endpoint.hpp"
#include "cli/signals.hpp"

namespace banger::cli {

/// What a path is.
struct PathKind {
    TargetKind followed{TargetKind::Absent};  ///< behind symlinks
    bool exists{false};                       ///< also as a dangling symlink
    bool is_link{false};
};
PathKind kind_on_host(const std::string& path);
PathKind kind_in_guest(VmProxy& vm, const std::string& path);

struct CopyOptions {
    Owners owners{Owners::Receiver};
    SourceLinks links{SourceLinks::Keep};
    bool many{false};  ///< several sources
};

/// One source of this host into a guest. Throws NotFound, InvalidArgument, and what the guest says.
void copy_in(VmProxy& vm, const std::string& source, const std::string& target, const CopyOptions& options,
             const Passed& passed);
/// One source of a guest onto this host.
void copy_out(VmProxy& vm, const std::string& source, const std::string& target, const CopyOptions& options,
              const Passed& passed);

/// Lists of files of this host into a folder of a guest. `signals`: while they are held back, what the copy ends at; the result is the one
/// that ended it. nullptr: they do what they usually do. Throws what pack_lists() and the guest say.
std::optional<int> copy_lists_in(VmProxy& vm, const std::string& folder, const std::vector<FileList>& lists,
                                 const Passed& passed, SignalInbox* signals);
/// A folder of a guest as `name` into `target`, as unpack_to_inspect() does. Throws NotFound where the guest has none.
void copy_out_to_inspect(VmProxy& vm, const std::string& folder, const std::string& target, const std::string& name,
                         const Inspection& inspection, const Passed& passed);

/// A tar archive from standard input into a folder of a guest, as it is.
void stream_in(VmProxy& vm, const std::string& folder);
/// A path of a guest as a tar archive on standard output. Throws InvalidArgument when that is a terminal.
void stream_out(VmProxy& vm, const std::string& path);

}  // namespace banger::cli
