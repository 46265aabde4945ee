// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/passt_network.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/host_route.hpp"
#include "agent/system/subprocess.hpp"
#include "agent/system/unix_socket.hpp"

namespace banger::agent {
namespace {

constexpr auto pid_file = "net.pid";
constexpr auto log_file = "net.log";
constexpr auto guard_role = "netguard";
constexpr auto guard_log_file = "netguard.log";
constexpr auto tap_pid_file = "tap.pid";
constexpr auto tap_log_file = "tap.log";
// passt answers ARP for every address, so the guest's gateway needs none that exists. Link-local, so it can't shadow a host of the user's.
constexpr auto gateway = "169.254.77.1";
constexpr auto resolver = "169.254.77.2";

/// Locally administered, made from the VM's id, so that it stays the same over restarts.
std::string mac_of(const VmId& vm)
{
    std::uint32_t hash = 2166136261U;  // FNV-1a, 32 bit
    for (const char c : vm.str()) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "02:62:%02x:%02x:%02x:%02x", hash >> 24U, (hash >> 16U) & 0xffU,
                  (hash >> 8U) & 0xffU, hash & 0xffU);
    return text.data();
}

/// passt names this folder in its arguments: that tells our process from one that got its pid later.
bool is_passt_of(int pid, const std::filesystem::path& folder)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary};
    const std::string arguments{std::istreambuf_iterator<char>{file}, {}};
    return arguments.find((folder / pid_file).string()) != std::string::npos;
}

void end_passt(const std::filesystem::path& folder)
{
    std::ifstream file{folder / pid_file};
    int pid = 0;
    if (!(file >> pid) || pid <= 1) {
        return;
    }
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (process && is_passt_of(pid, folder)) {
        send_signal(process, SIGTERM);
    }
    std::filesystem::remove(folder / pid_file);
}

/// "PID START-TIME", as ForkProcessHost and banger-tap write them; pid 0: none there.
ProcessId read_pid_file(const std::filesystem::path& path)
{
    std::ifstream file{path};
    ProcessId process;
    return file >> process.pid >> process.start_time ? process : ProcessId{};
}

/// Without a pid file it is a unit of systemd's. Guard and TAP end with passt, too.
void end_process_of(const std::filesystem::path& pid_path)
{
    const auto process = read_pid_file(pid_path);
    if (process) {
        send_signal(open_process(process), SIGTERM);
        std::filesystem::remove(pid_path);
    }
}

}  // namespace

Task<GuestNetwork> PasstNetwork::start(NetworkRequest request)
{
    if (programs_.guard.empty()) {
        throw Error{ErrorCode::HostLacks, "banger-netguard is not beside bangerd; install banger again"};
    }
    const auto address = address_towards_outside();
    if (!address) {
        throw Error{ErrorCode::HostLacks,
                    "this host has no IPv4 route to the outside, so there is nothing to connect the guest to; "
                    "use --network none"};
    }
    auto network = describe(request.vm, *address);
    const auto folder = request.folder;
    co_await start_passt(request, network.address);
    try {
        co_await start_guard(request);
        if (request.kind == VmmNetwork::Kind::Tap) {
            network.vmm = co_await start_tap(request);
        }
    } catch (...) {
        stop(folder);
        throw;
    }
    co_return network;
}

Task<VmmNetwork> PasstNetwork::start_tap(NetworkRequest request)
{
    if (programs_.tap.empty()) {
        throw Error{ErrorCode::HostLacks, "banger-tap is not beside bangerd; install banger again"};
    }
    std::vector<std::string> argv{programs_.tap.string(), "--socket", vm_folder::network_socket, "--pid", tap_pid_file};
    ProcessSpec spec{.vm = request.vm,
                     .role = "tap",
                     .argv = std::move(argv),
                     .directory = request.folder,
                     .standard_input = {},
                     .standard_output = {},
                     .log = request.folder / tap_log_file,
                     .readiness = ProcessSpec::Readiness::Fork};
    co_await processes_->start(std::move(spec));
    const auto holder = read_pid_file(request.folder / tap_pid_file);
    if (holder.pid <= 0) {
        throw Error{ErrorCode::Failed, "banger-tap ended at once: " + tail_of_log(request.folder / tap_log_file)};
    }
    VmmNetwork network{
        .kind = VmmNetwork::Kind::Tap, .mac = mac_of(request.vm), .tap = "guest0", .namespace_holder = holder.pid};
    co_return network;
}

Task<void> PasstNetwork::start_passt(NetworkRequest request, std::string address)
{
    std::vector<std::string> argv{find_program("passt").string(), "--quiet"};
    if (::geteuid() == 0) {
        argv.insert(argv.end(), {"--runas", "0:0"});  // else it becomes nobody, who may not enter our folder
    }
    if (request.loopback == LoopbackPolicy::Shielded) {
        argv.emplace_back("--no-map-gw");  // else the gateway's address is the host's 127.0.0.1
    }
    const std::filesystem::path log = request.folder / log_file;
    std::filesystem::remove(request.folder / vm_folder::passt_socket);
    argv.insert(argv.end(), {"--one-off", "--log-file", log.string(), "--pid", (request.folder / pid_file).string(),
                             "--address", address, "--gateway", gateway, "--dns-forward", resolver, "--tcp-ports",
                             "none", "--udp-ports", "none", "--socket", vm_folder::passt_socket});
    ProcessSpec spec{.vm = request.vm,
                     .role = "net",
                     .argv = std::move(argv),
                     .directory = request.folder,
                     .standard_input = {},
                     .standard_output = {},
                     .log = log,
                     .readiness = ProcessSpec::Readiness::Fork};
    co_await processes_->start(std::move(spec));
}

Task<void> PasstNetwork::start_guard(NetworkRequest request)
{
    std::vector<std::string> argv{programs_.guard.string(), "--passt", vm_folder::passt_socket, "--allow", resolver};
    if (request.loopback == LoopbackPolicy::Allowed) {
        argv.insert(argv.end(), {"--allow-host", "--allow", gateway});
    }
    ProcessSpec spec{.vm = request.vm,
                     .role = guard_role,
                     .argv = std::move(argv),
                     .directory = request.folder,
                     .standard_input = listen_in(request.folder, vm_folder::network_socket),
                     .standard_output = {},
                     .log = request.folder / guard_log_file};
    co_await processes_->start(std::move(spec));
}

GuestNetwork PasstNetwork::describe(const VmId& vm, const std::string& address) const
{
    return {.kind = "user",
            .address = address,
            .prefix = 32,
            .gateway = gateway,
            .dns = {resolver},
            .vmm = {VmmNetwork::Kind::StreamSocket, vm_folder::network_socket, mac_of(vm)}};
}

void PasstNetwork::stop(const std::filesystem::path& folder) noexcept
{
    try {
        end_passt(folder);
        end_process_of(folder / (std::string{guard_role} + ".pid"));
        end_process_of(folder / tap_pid_file);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): each ends when the other or the VMM has
    }
}

}  // namespace banger::agent
