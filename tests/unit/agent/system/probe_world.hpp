// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/ports/guest_link.hpp"
#include "agent/ports/process_host.hpp"
#include "agent/ports/vmm.hpp"
#include "agent/system/kvm_probe.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent::test {

/// Starts a process that only waits to be killed, in place of QEMU.
class WaitingProcesses final : public ProcessHost {
public:
    ~WaitingProcesses() override { end(); }
    Task<ProcessId> start(ProcessSpec spec) override
    {
        ++starts;
        last_arguments = spec.argv;
        if (failure) {
            throw Error{*failure};
        }
        std::ofstream{spec.log} << words << "\n";
        if (ends_at_once) {
            co_return ProcessId{};
        }
        co_return fork_waiting();
    }
    Task<ProcessId> find(VmId, std::string, std::filesystem::path, ProcessId) override
    {
        if (found_child && child == 0) {
            co_return fork_waiting();
        }
        co_return ProcessId{};
    }

    int starts{0};
    std::vector<std::string> last_arguments;
    std::optional<Error> failure;
    bool ends_at_once{false};
    bool found_child{false};  ///< a process of the first folder asked for
    std::string words;
    pid_t child{0};

private:
    ProcessId fork_waiting()
    {
        end();
        child = ::fork();
        if (child == 0) {
            for (;;) {
                ::pause();
            }
        }
        return {child, process_start_time(child).value_or(0), {}};
    }
    void end()
    {
        if (child > 0) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
            child = 0;
        }
    }
};

/// A guest that says ready as soon as it is connected to, or never.
class ReadyLinks final : public GuestLinks {
public:
    explicit ReadyLinks(EventLoop& loop) : loop_{&loop} {}
    std::unique_ptr<GuestLink> open(GuestDoor, GuestSettings, GuestLinkEvents events) override
    {
        if (says_ready) {
            loop_->post(events.ready);
        }
        return nullptr;
    }

    bool says_ready{true};

private:
    EventLoop* loop_;
};

class NamedVmm final : public Vmm {
public:
    std::string_view name() const noexcept override { return "named"; }
    VmmNetwork::Kind network_kind() const noexcept override { return VmmNetwork::Kind::None; }
    std::string_view log_name() const noexcept override { return "named.log"; }
    VmmStreams prepare(const std::filesystem::path&) const override { return {.error_log = "named.log"}; }
    std::vector<std::string> command(const VmmConfig& config) const override
    {
        return {"qemu", config.kernel_arguments};
    }
    std::string kernel_arguments() const override { return {}; }
    Task<void> boot(EventLoop&, std::filesystem::path, VmmConfig, int) const override { co_return; }
    Task<bool> has_booted(EventLoop&, std::filesystem::path) const override { co_return true; }
    std::unique_ptr<VmmControl> attach(EventLoop&, const std::filesystem::path&) const override { return nullptr; }
    GuestDoor guest_door(const std::filesystem::path&) const override { return {}; }
};

/// What a KvmProbe needs, and a state folder.
class ProbeTest : public LoopTest {
protected:
    static Artifact kernel(char digit = 'a')
    {
        return {.name = "debian",
                .digest = Digest::parse(std::string(64, digit)),
                .folder = "/nowhere",
                .size = 0,
                .used = 0,
                .version = "6.1",
                .origin = "",
                .created = 0};
    }
    std::vector<std::string> files() const
    {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator{state.path}) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    static Task<Unit> with_value(Task<void> task)
    {
        co_await task;
        co_return Unit{};
    }

    TemporaryFolder state;
    std::string device_problem;
    WaitingProcesses processes;
    ReadyLinks links{loop};
    NamedVmm qemu;
};

}  // namespace banger::agent::test
