// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/core/vm/vm_record.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// A program to start that outlives bangerd.
struct ProcessSpec {
    VmId vm;
    std::string role;               ///< vmm, net or netguard; with the VM's id it names the unit and the pid file
    std::vector<std::string> argv;  ///< argv[0] is an absolute path
    std::filesystem::path directory;
    UniqueFd standard_input{};                                       ///< none: /dev/null
    UniqueFd standard_output{};                                      ///< none: the log
    std::filesystem::path log;                                       ///< appended to
    enum class Readiness { Exec, Fork } readiness{Readiness::Exec};  ///< Fork: ready when its first process has left
};

/// Starts processes that outlive bangerd, and finds them again. Loop thread.
class ProcessHost {
public:
    ProcessHost() = default;
    ProcessHost(const ProcessHost&) = delete;
    ProcessHost& operator=(const ProcessHost&) = delete;
    virtual ~ProcessHost() = default;

    /// Comes back when the program runs (see Readiness). Throws HostLacks (not there), Failed (says what the log's end says).
    /// With Readiness::Fork the result is empty where nobody tracks the process that stays.
    virtual Task<ProcessId> start(ProcessSpec spec) = 0;
    /// The live process of this VM and role, whether or not bangerd ever knew of it. `noted`, as the VM's row has it, counts where nothing else
    /// tells: a bangerd without the systemd that started it can't ask that one. Throws Unavailable, Failed: whether there is one is not known.
    virtual Task<ProcessId> find(VmId vm, std::string role, std::filesystem::path directory, ProcessId noted) = 0;
};

/// Sends a signal through a pidfd; a process that has ended is no error.
void send_signal(const UniqueFd& process, int signal) noexcept;
/// Opens a pidfd on a process if it still is the same one (pid and start time); none when it has ended.
UniqueFd open_process(const ProcessId& process);
/// The start time of a live process; nullopt when there is none.
std::optional<std::uint64_t> process_start_time(int pid);

/// What a live process has used of this host.
struct ProcessUsage {
    std::uint64_t cpu_ns;  ///< of all its threads since its start; clock_getcpuclockid(3)
    std::uint64_t resident_bytes;
};
/// nullopt: it has ended.
std::optional<ProcessUsage> process_usage(const ProcessId& process);

}  // namespace banger::agent
