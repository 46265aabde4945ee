// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/vm_shutdown.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_manager.hpp"
#include "agent/system/guest_doors.hpp"
#include "agent/system/guest_session.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds heard_limit{3'000};
constexpr milliseconds farewell_limit{14'000};  // bangerd's stop, and a VMM that flushes; the unit has 15 s
constexpr std::chrono::seconds call_limit{2};

constexpr auto agent_name = "dev.banger.Agent1";
constexpr auto agent_path = "/dev/banger/Agent1";

/// The VM's folder is STATE/vms/ID, and bangerd announces itself in STATE.
std::string announced_address(const std::filesystem::path& folder)
{
    std::ifstream file{folder.parent_path().parent_path() / "bangerd.json"};
    const auto json = nlohmann::json::parse(file, nullptr, false);
    const bool told = json.is_object() && json.contains("address") && json["address"].is_string();
    return told ? json["address"].get<std::string>() : std::string{};
}

/// What runs the VM, as VmRecord::vmm.
std::string vmm_in(const std::filesystem::path& folder)
{
    std::ifstream file{folder / vm_folder::run_notes};
    const auto json = nlohmann::json::parse(file, nullptr, false);
    const bool told = json.is_object() && json.contains("vmm") && json["vmm"].is_string();
    return told ? json["vmm"].get<std::string>() : std::string{};
}

std::unique_ptr<sdbus::IProxy> proxy(sdbus::IConnection& connection, const char* name, const std::string& path)
{
    return sdbus::createProxy(connection, bus::ServiceName{name}, sdbus::ObjectPath{path});
}

/// bangerd has the guest's channel while it lives, so it must be the one to ask. False: no bangerd there that answers.
bool ask_bangerd(const std::filesystem::path& folder)
{
    const auto address = announced_address(folder);
    if (address.empty()) {
        return false;
    }
    try {
        const auto connection = bus::open_bus(address);
        connection->setMethodCallTimeout(call_limit);
        bool there = false;
        proxy(*connection, "org.freedesktop.DBus", "/org/freedesktop/DBus")
            ->callMethod("NameHasOwner")
            .onInterface("org.freedesktop.DBus")
            .withArguments(std::string{agent_name})
            .storeResultsTo(there);
        if (!there) {  // a call would start one, in a session that ends
            return false;
        }
        sdbus::ObjectPath vm;
        proxy(*connection, agent_name, agent_path)
            ->callMethod("FindVm")
            .onInterface("dev.banger.Agent1.Manager")
            .withArguments(folder.filename().string())
            .storeResultsTo(vm);
        sdbus::ObjectPath operation;
        proxy(*connection, agent_name, vm)
            ->callMethod("Stop")
            .onInterface("dev.banger.Agent1.Vm")
            .withArguments(static_cast<std::uint32_t>(session_end_limit.count()))
            .storeResultsTo(operation);
        return true;
    } catch (const Error&) {
        return false;
    } catch (const sdbus::Error&) {
        return false;
    }
}

/// On a loop of its own: the guest hears it, then the VMM's end.
class Farewell {
public:
    Farewell(const std::filesystem::path& folder, UniqueFd vmm) : vmm_{std::move(vmm)}
    {
        ended_ = loop_.on_io(vmm_.get(), EventLoop::readable, [this](std::uint32_t) { loop_.quit(0); });
        limit_ = loop_.after(farewell_limit, [this] { loop_.quit(1); });
        folder_ = folder;
    }

    void ask_guest()
    {
        GuestSettings settings;
        settings.keep = true;
        guest_ = std::make_unique<GuestSession>(
            loop_, guest_door_of(vmm_in(folder_), folder_), std::move(settings),
            GuestLinkEvents{.ready = [] {}, .goodbye = [](GuestGoodbye) {}, .failed = [](const std::string&) {}});
        spawn(guest_->shut_down(heard_limit), [this](std::exception_ptr failure) {
            if (failure && !told_) {
                failure_ = failure;
                loop_.quit(1);
            }
        });
    }

    /// bangerd was asked; should it leave before the guest heard it, as at a logout, then the channel is free for us.
    void ask_guest_later()
    {
        told_ = true;
        later_ = loop_.after(heard_limit, [this] { ask_guest(); });
    }

    void wait()
    {
        const bool ended = loop_.run() == 0;
        if (failure_) {
            std::rethrow_exception(failure_);
        }
        if (!ended) {
            throw Error{ErrorCode::TimedOut, "the guest did not shut down in time"};
        }
    }

private:
    EventLoop loop_;
    std::filesystem::path folder_;
    UniqueFd vmm_;
    EventLoop::Source ended_;
    EventLoop::Source limit_;
    EventLoop::Source later_;
    std::unique_ptr<GuestSession> guest_;
    bool told_{false};  ///< bangerd was: it has the channel, so silence on ours means nothing
    std::exception_ptr failure_;
};

}  // namespace

void shut_down_vm(const std::filesystem::path& folder, int pid)
{
    UniqueFd vmm{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (!vmm) {
        return;  // it has ended, which is why the unit stops
    }
    Farewell farewell{folder, std::move(vmm)};
    if (ask_bangerd(folder)) {
        farewell.ask_guest_later();
    } else {
        farewell.ask_guest();
    }
    farewell.wait();
}

}  // namespace banger::agent
