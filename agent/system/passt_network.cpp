// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/passt_network.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/subprocess.hpp"

namespace banger::agent {
namespace {

constexpr auto pid_file = "net.pid";
constexpr auto log_file = "net.log";
// passt answers ARP for every address, so the guest's gateway needs none that exists. Link-local, so it can't shadow a host of the user's.
constexpr auto gateway = "169.254.77.1";
constexpr auto resolver = "169.254.77.2";

/// The address that the host itself would use towards the outside; connecting a UDP socket sends nothing (udp(7)).
std::string host_address()
{
    const UniqueFd probe{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(53);
    ::inet_pton(AF_INET, "192.88.99.1", &there.sin_addr);  // any address outside: only the route is asked for
    sockaddr_in here{};
    socklen_t size = sizeof here;
    if (!probe || ::connect(probe.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) < 0 ||
        ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&here), &size) < 0) {
        throw Error{ErrorCode::HostLacks,
                    "this host has no IPv4 route to the outside, so there is nothing to connect the guest to; "
                    "use --network none"};
    }
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &here.sin_addr, text.data(), text.size());
    return text.data();
}

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

}  // namespace

Task<GuestNetwork> PasstNetwork::start(VmId vm, std::filesystem::path folder)
{
    auto network = describe(vm, host_address());
    std::vector<std::string> argv{find_program("passt").string(), "--quiet"};
    if (::geteuid() == 0) {
        argv.insert(argv.end(), {"--runas", "0:0"});  // else it becomes nobody, who may not enter our folder
    }
    const std::filesystem::path log = folder / log_file;
    std::filesystem::remove(folder / vm_folder::network_socket);
    argv.insert(argv.end(),
                {"--one-off", "--no-map-gw", "--log-file", log.string(), "--pid", (folder / pid_file).string(),
                 "--address", network.address, "--gateway", network.gateway, "--dns-forward", resolver, "--tcp-ports",
                 "none", "--udp-ports", "none", "--socket", vm_folder::network_socket});
    ProcessSpec spec{.vm = vm,
                     .role = "net",
                     .argv = std::move(argv),
                     .directory = folder,
                     .standard_input = {},
                     .standard_output = {},
                     .log = log,
                     .readiness = ProcessSpec::Readiness::Fork};
    co_await processes_->start(std::move(spec));
    co_return network;
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
        std::ifstream file{folder / pid_file};
        int pid = 0;
        if (!(file >> pid) || pid <= 1) {
            return;
        }
        const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
        if (process && is_passt_of(pid, folder)) {
            ::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0);
        }
        std::filesystem::remove(folder / pid_file);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): a passt without a client ends by itself
    }
}

}  // namespace banger::agent
