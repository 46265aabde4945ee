// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/assembly.hpp"

#include <algorithm>
#include <exception>

#include "broker/core/address_pool.hpp"
#include "common/error.hpp"

namespace banger::broker {

std::string dm_node(const SandboxKey& key) { return "/dev/mapper/banger-" + key.str(); }

void Assembly::build(const SandboxRecord& record, const BaseDisk* base)
{
    const auto node = base != nullptr ? build_disk(record, *base) : nullptr;
    if (record.network) {
        build_network(network_of(record));
    }
    if (node) {
        node->wait();  // udev, a process of its own, was at it meanwhile
    }
}

std::unique_ptr<NewNode> Assembly::build_disk(const SandboxRecord& record, const BaseDisk& base)
{
    const auto mark = record.key.mark();
    const auto file = kernel_.files.open(record.key);
    // Each loop device lives by its descriptor here until the node holds it.
    const auto below = kernel_.loops.attach(base.file.get(), LoopDevices::Access::ReadOnly, mark);
    const auto above = kernel_.loops.attach(file.get(), LoopDevices::Access::ReadWrite, mark);
    return kernel_.mapper.create(record.key, base.size, below.device, above.device);
}

void Assembly::build_network(const SandboxNetwork& network)
{
    kernel_.taps.create(network);
    kernel_.firewall.add(network);
    kernel_.taps.up(network);  // never without its rules
    if (network.nat == Nat::On) {
        kernel_.forwarding.follow();
    }
}

void Assembly::take_apart(const SandboxNetwork& network)
{
    kernel_.taps.remove(network.altname);
    try {
        kernel_.firewall.remove(network);
    } catch (const Error& problem) {
        if (problem.code() != ErrorCode::HostLacks) {  // where there is no nftables there are no rules
            throw;
        }
    }
}

void Assembly::take_apart(const SandboxRecord& record)
{
    std::exception_ptr failure;
    try {
        take_apart(network_of(record));  // the way out first: what is half gone must not reach anything
    } catch (const Error&) {
        failure = std::current_exception();
    }
    if (record.has_disk()) {
        kernel_.mapper.remove(record.key);
        kernel_.loops.sweep();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

bool Assembly::is_open(const SandboxKey& key) { return kernel_.mapper.open_count(key).value_or(0) > 0; }

void Assembly::follow_forwarding()
{
    const auto networks = running_networks();
    const auto has_nat = [](const SandboxNetwork& network) { return network.nat == Nat::On; };
    if (std::any_of(networks.begin(), networks.end(), has_nat)) {
        kernel_.forwarding.follow();
    } else {
        kernel_.forwarding.release();
    }
}

SandboxNetwork Assembly::network_of(const SandboxRecord& record) const
{
    return broker::network_of(config_->pool, record);
}

std::vector<SandboxNetwork> Assembly::running_networks() const
{
    std::vector<SandboxNetwork> networks;
    for (const auto& [key, record] : journal_->records()) {
        if (record.phase == Phase::Running && record.network) {
            networks.push_back(network_of(record));
        }
    }
    return networks;
}

}  // namespace banger::broker
