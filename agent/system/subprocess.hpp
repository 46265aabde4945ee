// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace banger::agent {

/// A program on PATH, /usr/sbin or /sbin. Throws HostLacks naming the Debian package that has it.
std::filesystem::path find_program(std::string_view name);
/// A program of banger's own, which is installed beside this one; empty when it isn't there.
std::filesystem::path find_beside(std::string_view name);
/// The Debian package that has a program we use; the program's own name for one we don't know.
std::string package_of(std::string_view program);

/// A program to run to its end.
struct Program {
    std::vector<std::string> argv;           ///< argv[0] is a path
    std::vector<std::string> environment{};  ///< NAME=value, added to ours
    std::filesystem::path directory{};       ///< empty: ours
    std::optional<mode_t> umask{};           ///< none: ours
    std::filesystem::path input{};           ///< empty: /dev/null
    std::filesystem::path output{};          ///< a new file for its standard output; empty: as standard error
    std::filesystem::path log{};             ///< its output is appended here too; empty: nowhere
    std::function<void(std::string_view line)> on_line{};  ///< each line of its output, on the caller's thread
    std::stop_token stop{};                                ///< ends the whole process group: SIGTERM, 5 s later SIGKILL
    bool gentle{false};  ///< gives way to everything else: what takes minutes shall delay nothing
};

struct ProgramResult {
    std::optional<int> exit_code;  ///< none: ended by a signal
    int signal{0};
    std::string tail;  ///< the end of its output, at most 4 KiB
    bool ok() const noexcept { return exit_code == 0; }
};

/// Runs a program in a session of its own that dies with bangerd. For worker threads: it blocks.
/// Throws HostLacks (can't be run), Cancelled, Failed.
ProgramResult run_program(const Program& program);

}  // namespace banger::agent
