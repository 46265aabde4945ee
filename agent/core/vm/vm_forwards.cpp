// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_forwards.hpp"

#include <algorithm>
#include <iterator>

namespace banger::agent {
namespace {

/// The VM is held by the task: its link outlives the call.
Task<void> lead_in(VmPtr vm, UniqueFd client, std::uint16_t guest_port)
{
    co_await vm->running->link->join("localhost", guest_port, std::move(client));
}

}  // namespace

std::unique_ptr<TcpPort> VmForwards::listen(const VmPtr& vm, const Forward& forward) const
{
    // Weak: a VM must not keep itself alive through its own ports.
    return open_port_(forward.address, forward.port,
                      [weak = std::weak_ptr{vm}, guest_port = forward.guest_port](UniqueFd client) {
                          const auto alive = weak.lock();
                          if (alive && alive->running && alive->running->link) {
                              // A guest that has nothing at that port closes the connection, as a host would that refuses it late.
                              spawn(lead_in(alive, std::move(client), guest_port), [](std::exception_ptr) {});
                          }
                      });
}

Forward VmForwards::open(const VmPtr& vm, Forward wish) const
{
    if (!vm->running) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(vm->record.state)} +
                                               ", not running; banger vm start " + vm->name() + " starts it"};
    }
    constexpr std::size_t most = 64;  // a descriptor each
    if (vm->record.forwards.size() >= most) {
        throw Error{ErrorCode::Unavailable, std::to_string(most) + " ports lead to " + vm->name() +
                                                " already; banger vm forward " + vm->name() + " --end PORT frees one"};
    }
    auto port = listen(vm, wish);
    wish.port = port->number();
    vm->running->ports.push_back(std::move(port));
    vm->record.forwards.push_back(wish);
    return wish;
}

void VmForwards::close(const VmPtr& vm, const std::string& address, std::uint16_t port)
{
    auto& forwards = vm->record.forwards;
    const auto at = std::find_if(forwards.begin(), forwards.end(),
                                 [&](const Forward& one) { return one.address == address && one.port == port; });
    if (at == forwards.end()) {
        throw Error{ErrorCode::NotFound, "port " + std::to_string(port) + " of " + address + " does not lead to " +
                                             vm->name() + "; banger vm ports " + vm->name() + " shows what does"};
    }
    if (vm->running) {
        auto& ports = vm->running->ports;
        ports.erase(ports.begin() + std::distance(forwards.begin(), at));
    }
    forwards.erase(at);
}

void VmForwards::reopen(const VmPtr& vm) const
{
    const auto wishes = std::exchange(vm->record.forwards, {});
    for (const auto& wish : wishes) {
        try {
            open(vm, wish);
        } catch (const Error& error) {
            log_("port " + std::to_string(wish.port) + " no longer leads to it: " + error.what(), vm);
        }
    }
}

}  // namespace banger::agent
