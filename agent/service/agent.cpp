// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/agent.hpp"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <ctime>
#include <thread>

#include "agent/core/vm/vm_files.hpp"
#include "agent/service/json_log.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::milliseconds housekeeping_interval{30'000};

std::int64_t now() { return static_cast<std::int64_t>(::time(nullptr)); }

std::uint32_t host_cpus() { return std::max(1U, std::thread::hardware_concurrency()); }

HostSize host_size()
{
    struct sysinfo info {};
    ::sysinfo(&info);
    return {host_cpus(), static_cast<std::uint64_t>(info.totalram) * info.mem_unit};
}

template <typename Digests>
std::vector<std::string> users_of(const VmManager& vms, Digests&& uses)
{
    std::vector<std::string> names;
    for (const auto& vm : vms.list()) {
        if (uses(vm->record.spec)) {
            names.push_back(vm->name());
        }
    }
    return names;
}

}  // namespace

Agent::Agent(AgentPorts ports, Paths paths, StoreFindings findings)
    : ports_{std::move(ports)},
      paths_{std::move(paths)},
      operations_{ports_.loop},
      statistics_{ports_.loop, ports_.disks, ports_.usage_of}
{
    if (!findings.warning.empty()) {
        warnings_.push_back(findings.warning);
        json_log::write(json_log::Level::Error, findings.warning);
    }
    vms_ = std::make_unique<VmManager>(vm_ports(), paths_.vms(), host_cpus(), relay());
    housekeep();
}

VmPorts Agent::vm_ports()
{
    return VmPorts{.loop = ports_.loop,
                   .store_lane = store_lane_,
                   .work_lane = work_lane_,
                   .store = ports_.store,
                   .processes = ports_.processes,
                   .disks = ports_.disks,
                   .links = ports_.links,
                   .user_network = ports_.user_network,
                   .broker = ports_.broker,
                   .host_names = ports_.host_names,
                   .sandbox_owner = sandbox_owner(),
                   .resolvers = ports_.resolvers,
                   .images = ports_.images,
                   .kernels = ports_.kernels,
                   .ladder = ports_.ladder,
                   .authorized_keys = [this] { return authorized_keys(); },
                   .open_process = ports_.open_process,
                   .send_signal = ports_.send_signal,
                   .open_tcp_port = ports_.open_tcp_port,
                   .now = now};
}

/// Empty where it can't be had: then no sandbox can be made, and VMs that have one say so at their start.
std::string Agent::sandbox_owner()
{
    try {
        return sandbox_owner_of(paths_.state);
    } catch (const Error& error) {
        warnings_.push_back(std::string{"no sandboxes can be made: "} + error.what());
        json_log::write(json_log::Level::Error, warnings_.back());
        return "";
    }
}

VmObserver Agent::relay()
{
    const auto tell = [this](auto member) {
        return [this, member](const VmPtr& vm) {
            if (const auto& call = observer_.*member) {
                call(vm);
            }
        };
    };
    return {.added = tell(&VmObserver::added),
            .changed = tell(&VmObserver::changed),
            .removed = tell(&VmObserver::removed),
            .log = [](const std::string& message, const VmPtr& vm) {
                json_log::write(json_log::Level::Warn, message, vm->name());
            }};
}

Task<void> Agent::recover()
{
    auto& store = ports_.store;
    auto load = [&store] { return store.load(); };
    auto rows = co_await run_on(ports_.loop, store_lane_, std::move(load));
    co_await clear_drafts();
    co_await vms_->recover(std::move(rows));
}

/// A draft that is there before we serve is nobody's. A new banger has a new banger-guest, which older kernels get, too.
Task<void> Agent::clear_drafts()
{
    auto drafts = ports_.images.drafts();
    const auto more = ports_.kernels.drafts();
    drafts.insert(drafts.end(), more.begin(), more.end());
    std::vector<std::filesystem::path> kernels;
    for (const auto& kernel : ports_.kernels.list()) {
        kernels.push_back(kernel.folder);
    }
    auto clear = [&maker = ports_.maker, drafts, kernels] {
        for (const auto& draft : drafts) {
            maker.discard(draft);
        }
        for (const auto& kernel : kernels) {
            try {
                maker.refresh_initrd(kernel);
            } catch (const std::exception& failure) {
                json_log::write(json_log::Level::Warn,
                                "kernel " + kernel.filename().string() + " keeps its old initrd: " + failure.what());
            }
        }
    };
    co_await run_on(ports_.loop, work_lane_, std::move(clear));
}

Config Agent::config() const
{
    auto config = load_config(paths_.config, host_size());
    if (const char* level = ::getenv("BANGER_LOG_LEVEL"); level != nullptr) {
        config.log_level = level;
    }
    json_log::set_level(config.log_level);
    return config;
}

ConfigReport Agent::config_report() const
{
    auto report = report_config(paths_.config, host_size());
    if (const char* level = ::getenv("BANGER_LOG_LEVEL"); level != nullptr) {
        for (auto& row : report.values) {
            if (row.key == "log_level") {
                row.value = level;
                row.origin = "BANGER_LOG_LEVEL";
            }
        }
    }
    return report;
}

std::vector<std::string> Agent::users_of_image(const Digest& digest) const
{
    return users_of(*vms_, [&](const VmSpec& spec) { return spec.image_digest == digest; });
}

std::vector<std::string> Agent::users_of_kernel(const Digest& digest) const
{
    return users_of(*vms_, [&](const VmSpec& spec) { return spec.kernel_digest == digest; });
}

Task<std::vector<std::string>> Agent::authorized_keys()
{
    std::vector<std::string> keys;
    try {
        auto read_key = [&key = ports_.key] { return key.public_key(); };
        keys.push_back(co_await run_on(ports_.loop, work_lane_, std::move(read_key)));
    } catch (const Error& error) {
        // Commands and copies need no ssh, so a VM starts without a key; `vm ssh` says what is missing.
        json_log::write(json_log::Level::Warn, std::string{"no ssh key: "} + error.what());
    }
    co_return keys;
}

void Agent::housekeep()
{
    housekeeping_ = ports_.loop.after(housekeeping_interval, [this] {
        vms_->housekeep();
        housekeep();
    });
}

}  // namespace banger::agent
