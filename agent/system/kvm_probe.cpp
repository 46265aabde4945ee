// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/kvm_probe.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/folder_watch.hpp"
#include "common/denial.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

constexpr auto folder_prefix = "probe-";
constexpr std::size_t probe_id_length = 12;  // behind it a half removed one says .removed
constexpr auto memory_file = "kvm.json";
constexpr std::uint32_t probe_memory_mib = 128;

/// The VM that a leftover folder was for; none when it isn't ours.
std::optional<VmId> probe_in(const std::filesystem::path& folder)
{
    const auto name = folder.filename().string();
    if (!name.starts_with(folder_prefix)) {
        return std::nullopt;
    }
    try {
        return VmId::parse(name.substr(std::string_view{folder_prefix}.size(), probe_id_length));
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::string own_name()
{
    const auto* entry = ::getpwuid(::geteuid());  // the loop's thread only
    return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

std::string group_name(gid_t group)
{
    const auto* entry = ::getgrgid(group);
    return entry != nullptr ? entry->gr_name : "";
}

/// Whether the user is in the group by what the host's files say, which a login of tomorrow will have.
bool database_has(const std::string& user, gid_t group)
{
    const auto* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) {
        return false;
    }
    int count = 64;
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    while (::getgrouplist(user.c_str(), entry->pw_gid, groups.data(), &count) < 0) {
        groups.resize(static_cast<std::size_t>(count));
    }
    groups.resize(static_cast<std::size_t>(count));
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string boot_id()
{
    std::ifstream file{"/proc/sys/kernel/random/boot_id"};
    std::string id;
    std::getline(file, id);
    return id;
}

}  // namespace

std::string refused_problem(const std::filesystem::path& device)
{
    const auto name = own_name();
    struct stat status {};
    const bool of_group = ::stat(device.c_str(), &status) == 0 && (status.st_mode & 0060U) == 0060U;
    const auto group = of_group ? group_name(status.st_gid) : std::string{};
    if (group.empty()) {
        return device.string() +
               " may not be opened by you, nor by any group; `chmod 660` and `chgrp kvm` as root mend that";
    }
    if (database_has(name, status.st_gid)) {
        // A session's groups are those of its login, and the user manager's those of the first one.
        return device.string() + " may not be opened yet: you are in group " + group +
               " by now, but logged in before that; `loginctl terminate-user " + name +
               "` (it ends your sessions) and a new login renew it";
    }
    return device.string() + " may not be opened by you; `usermod -aG " + group + " " + name +
           "` as root and a new login mend that";
}

std::string kvm_device_problem()
{
    const UniqueFd device{::open("/dev/kvm", O_RDWR | O_CLOEXEC)};
    if (!device && (errno == EACCES || errno == EPERM)) {
        return refused_problem("/dev/kvm");
    }
    if (!device) {
        return errno == ENOENT
                   ? "this host has no /dev/kvm; enable virtualisation in its firmware, or nested virtualisation in "
                     "the hypervisor it runs on"
                   : "/dev/kvm does not open: " + std::error_code{errno, std::generic_category()}.message();
    }
    if (::ioctl(device.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
        return "/dev/kvm speaks another version than 12";
    }
    return {};
}

std::optional<KvmProbe::Verdict> KvmProbe::recall(const Artifact& kernel) const
{
    std::error_code none;
    if (!std::filesystem::is_regular_file(state_ / memory_file, none)) {
        return std::nullopt;
    }
    std::ifstream file{state_ / memory_file};
    const auto json = nlohmann::json::parse(file, nullptr, false);
    const auto text = [&json](const char* key) {
        const auto at = json.find(key);
        return at != json.end() && at->is_string() ? at->get<std::string>() : std::string{};
    };
    const bool holds = json.is_object() && json.contains("usable") && json["usable"].is_boolean() &&
                       text("boot_id") == boot_id() && text("kernel") == kernel.digest.str();
    return holds ? std::optional{Verdict{json["usable"].get<bool>(), text("reason")}} : std::nullopt;
}

void KvmProbe::remember(const Artifact& kernel, const Verdict& verdict) const
{
    const auto path = state_ / memory_file;
    const auto fresh = path.string() + ".new";
    std::ofstream{fresh} << nlohmann::json{{"boot_id", boot_id()},
                                           {"kernel", kernel.digest.str()},
                                           {"usable", verdict.usable},
                                           {"reason", verdict.reason}}
                         << "\n";
    std::error_code none;
    std::filesystem::rename(fresh, path, none);  // not remembered: asked again next time
}

Task<KvmProbe::Verdict> KvmProbe::ask(Artifact kernel)
{
    const auto guard = co_await one_at_a_time_.lock();
    // The device's rights may change within one boot, so only the guest's trial is remembered.
    if (auto problem = device_problem_(); !problem.empty()) {
        co_return Verdict{false, std::move(problem)};
    }
    if (auto known = recall(kernel)) {
        co_return *known;
    }
    std::optional<Verdict> verdict;
    try {
        verdict = co_await boot(kernel);
    } catch (const Error& error) {
        verdict = Verdict{false, std::string{"a guest could not be tried on KVM: "} + error.what(), false};
    }
    if (verdict->remembered) {
        remember(kernel, *verdict);
    }
    co_return *verdict;
}

Task<void> KvmProbe::clear_leftovers()
{
    std::error_code none;
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator{state_, none}) {
        if (probe_in(entry.path())) {
            folders.push_back(entry.path());
        }
    }
    for (const auto& folder : folders) {
        const ProcessId none_noted;
        const auto process = open_process(co_await processes_->find(*probe_in(folder), "vmm", folder, none_noted));
        if (process) {
            send_signal(process, SIGKILL);
        }
        std::filesystem::remove_all(folder, none);
    }
}

Task<KvmProbe::Verdict> KvmProbe::boot(Artifact kernel)
{
    const Vmm* vmm = vmm_();
    const auto id = VmId::random();
    const auto folder = state_ / (folder_prefix + id.str());
    UniqueFd process;  // before the cleanup, which ends it
    Rollback cleanup;
    cleanup.add([folder] { remove_folder(folder); });
    make_private_folder(folder);
    std::filesystem::create_symlink(kernel.folder / artifact_file::kernel, folder / vm_folder::kernel);
    std::filesystem::create_symlink(kernel.folder / artifact_file::initrd, folder / vm_folder::initrd);
    auto streams = vmm->prepare(folder);
    const VmmConfig config{.name = "banger-probe",
                           .vcpus = 1,
                           .memory_mib = probe_memory_mib,
                           .kernel_arguments = "console=ttyS0 panic=1 banger.probe=1" + vmm->kernel_arguments(),
                           .disks = VmmConfig::Disks::None,
                           .network = {}};
    ProcessSpec spec{.vm = id,
                     .role = "vmm",
                     .argv = vmm->command(config),
                     .directory = folder,
                     .standard_input = std::move(streams.input),
                     .standard_output = std::move(streams.output),
                     .log = folder / streams.error_log};
    process = open_process(co_await processes_->start(std::move(spec)));
    cleanup.add([&process] {
        if (process) {
            send_signal(process, SIGKILL);
        }
    });
    if (!process) {
        co_return ended_verdict(*vmm, folder);
    }
    co_await vmm->boot(*loop_, folder, config, process.get());
    Promise<bool> answer;
    GuestLinkEvents events;
    events.ready = [answer] { answer.set(true); };
    events.goodbye = [](GuestGoodbye) {};
    events.failed = [](const std::string&) {};
    const auto link = links_->open(vmm->guest_door(folder), {}, std::move(events));
    const auto ended = loop_->on_io(process.get(), EventLoop::readable, [answer](std::uint32_t) { answer.set(false); });
    // A guest that boots talks on its console; on a slow host for long, but never with such a pause.
    EventLoop::Source silence;
    const auto hung = [answer] { answer.fail(std::make_exception_ptr(Error{ErrorCode::TimedOut, "silent"})); };
    silence = loop_->after(silence_limit, hung);
    const FolderWatch talk{*loop_, folder, [this, &silence, hung](std::string_view name) {
                               if (name == vm_folder::console_log) {
                                   silence = loop_->after(silence_limit, hung);
                               }
                           }};
    bool said_ready = false;
    try {
        said_ready = co_await answer.wait(*loop_, boot_limit, Error{ErrorCode::TimedOut, ""});
    } catch (const Error&) {
        co_return Verdict{
            false, "/dev/kvm opens, but a guest tried on it hung; that is so on some hosts that are guests themselves"};
    }
    if (!said_ready) {
        co_return ended_verdict(*vmm, folder);
    }
    co_return Verdict{true, {}};
}

KvmProbe::Verdict KvmProbe::ended_verdict(const Vmm& vmm, const std::filesystem::path& folder)
{
    // Not remembered: memory that is short or a KVM that another holds is there again before the host's next boot.
    return {false,
            "/dev/kvm opens, but " + std::string{vmm.name()} +
                " ended with: " + with_denial_hint(tail_of_log(folder / vmm.log_name())),
            false};
}

}  // namespace banger::agent
