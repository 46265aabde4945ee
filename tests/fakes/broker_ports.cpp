// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fakes/broker_ports.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace banger::broker::test {
namespace {

constexpr std::uint64_t sector = 512;

std::string record_name(const SandboxKey& key) { return key.str() + ".toml"; }

ino_t inode_of(int file)
{
    struct stat status {};
    if (::fstat(file, &status) < 0) {
        throw Error{ErrorCode::Failed, "this is no descriptor"};
    }
    return status.st_ino;
}

}  // namespace

FakeKernel::Node& FakeKernel::Ports::Mapper::live(const SandboxKey& key)
{
    auto* const found = kernel->node(key);
    if (found == nullptr || found->leaving) {
        throw Error{ErrorCode::NotFound, "there is no such node"};
    }
    return *found;
}

struct FakeKernel::Ports::Mapper::New final : NewNode {
    explicit New(FakeKernel& of) : kernel{&of} {}
    void wait() override { kernel->step("mapper.wait"); }
    FakeKernel* kernel;
};

std::unique_ptr<NewNode> FakeKernel::Ports::Mapper::create(const SandboxKey& key, ByteSize, BlockDevice base,
                                                           BlockDevice cow)
{
    kernel->step("mapper.create");
    if (const auto found = kernel->nodes.find(name_of(key)); found != kernel->nodes.end()) {
        const bool ours = found->second.whose == Whose::Ours;
        throw Error{ours && found->second.leaving ? ErrorCode::InUse : ErrorCode::AlreadyExists,
                    "the name of the node is in use"};
    }
    if (kernel->loop(base) == nullptr || kernel->loop(cow) == nullptr) {
        throw Error{ErrorCode::Failed, "there are no such devices for the table"};
    }
    kernel->nodes.emplace(name_of(key), Node{.base = base, .cow = cow, .used = 4 * kib});
    return std::make_unique<New>(*kernel);
}

std::optional<unsigned> FakeKernel::Ports::Mapper::open_count(const SandboxKey& key)
{
    kernel->step("mapper.open_count");
    const auto* found = kernel->node(key);
    return found != nullptr ? std::optional{found->open} : std::nullopt;
}

Removal FakeKernel::Ports::Mapper::remove(const SandboxKey& key)
{
    kernel->step("mapper.remove");
    auto* const found = kernel->node(key);
    if (found == nullptr) {
        return Removal::Absent;
    }
    if (found->open > 0) {
        found->leaving = true;
        found->held = false;
        return Removal::Busy;
    }
    kernel->nodes.erase(name_of(key));
    return Removal::Removed;
}

std::optional<SnapshotStatus> FakeKernel::Ports::Mapper::status(const SandboxKey& key)
{
    kernel->step("mapper.status");
    const auto* found = kernel->node(key);
    if (found == nullptr || found->leaving) {
        return std::nullopt;
    }
    using State = SnapshotStatus::State;
    return SnapshotStatus{.state = found->overflown ? State::Overflow : State::Active,
                          .used = found->used,
                          .total = kernel->loop_size(found->cow),
                          .held = found->held};
}

std::optional<BlockDevice> FakeKernel::Ports::Mapper::cow_of(const SandboxKey& key)
{
    kernel->step("mapper.cow_of");
    const auto* found = kernel->node(key);
    return found != nullptr && !found->leaving ? std::optional{found->cow} : std::nullopt;
}

void FakeKernel::Ports::Mapper::suspend(const SandboxKey& key)
{
    kernel->step("mapper.suspend");
    live(key).held = true;
}

void FakeKernel::Ports::Mapper::resume(const SandboxKey& key)
{
    kernel->step("mapper.resume");
    live(key).held = false;
}

std::vector<SandboxKey> FakeKernel::Ports::Mapper::list()
{
    kernel->step("mapper.list");
    std::vector<SandboxKey> keys;
    for (const auto& [name, each] : kernel->nodes) {
        if (each.whose == Whose::Ours && !each.leaving) {
            keys.push_back(*key_in(name));
        }
    }
    return keys;
}

broker::Loop FakeKernel::Ports::Loops::attach(int file, Access access, const std::string& mark)
{
    kernel->step("loops.attach");
    if (kernel->loops_lacking) {
        throw Error{ErrorCode::HostLacks, "no loop device is free"};
    }
    const auto inode = inode_of(file);
    struct stat status {};
    ::fstat(file, &status);
    auto size = ByteSize{static_cast<std::uint64_t>(status.st_size)};
    for (const auto& [name, each] : kernel->files) {
        size = each.inode == inode ? each.size : size;
    }
    unsigned minor = 0;
    while (kernel->loops_.contains(minor)) {
        ++minor;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        throw Error{ErrorCode::Failed, "no pipe"};
    }
    UniqueFd watch{ends[0]};
    UniqueFd held{ends[1]};
    kernel->loops_.emplace(minor, FakeKernel::Loop{.file = inode,
                                                   .access = access,
                                                   .mark = mark,
                                                   .size = ByteSize{size.bytes() / sector * sector},
                                                   .watch = std::move(watch)});
    return {.descriptor = std::move(held), .device = {loop_major, minor}};
}

void FakeKernel::Ports::Loops::refresh(BlockDevice device, int file)
{
    kernel->step("loops.refresh");
    auto* const found = kernel->loop(device);
    const auto inode = inode_of(file);
    if (found == nullptr || found->file != inode) {
        throw Error{ErrorCode::NotFound, "the loop device is over another file"};
    }
    for (const auto& [name, each] : kernel->files) {
        if (each.inode == inode) {
            found->size = ByteSize{each.size.bytes() / sector * sector};
        }
    }
}

void FakeKernel::Ports::Loops::sweep() { kernel->step("loops.sweep"); }

FakeKernel::CowFile& FakeKernel::Ports::Files::at(const SandboxKey& key)
{
    const auto found = kernel->files.find(test::name_of(key));
    if (found == kernel->files.end()) {
        throw Error{ErrorCode::HostLacks, "there is no such file"};
    }
    return found->second;
}

void FakeKernel::Ports::Files::make(const SandboxKey& key, ByteSize size)
{
    if (kernel->files.contains(test::name_of(key))) {
        throw Error{ErrorCode::AlreadyExists, "there is such a file"};
    }
    kernel->take_space(size);
    UniqueFd file{::memfd_create("cow", MFD_CLOEXEC)};
    const auto inode = inode_of(file.get());
    kernel->files.emplace(test::name_of(key), CowFile{.file = std::move(file), .inode = inode, .size = size});
}

void FakeKernel::Ports::Files::create(const SandboxKey& key, ByteSize size)
{
    kernel->step("files.create");
    make(key, size);
}

UniqueFd FakeKernel::Ports::Files::open(const SandboxKey& key)
{
    kernel->step("files.open");
    return UniqueFd{::fcntl(at(key).file.get(), F_DUPFD_CLOEXEC, 0)};
}

void FakeKernel::Ports::Files::grow(const SandboxKey& key, ByteSize size)
{
    kernel->step("files.grow");
    auto& file = at(key);
    if (size > file.size) {
        kernel->take_space(ByteSize{size.bytes() - file.size.bytes()});
        file.size = size;
    }
}

ByteSize FakeKernel::Ports::Files::size(const SandboxKey& key)
{
    kernel->step("files.size");
    const auto found = kernel->files.find(test::name_of(key));
    return found == kernel->files.end() ? ByteSize{} : found->second.size;
}

void FakeKernel::Ports::Files::clone(const SandboxKey& from, const SandboxKey& to)
{
    kernel->step("files.clone");
    make(to, at(from).size);
    if (const auto* node = kernel->node(from); node != nullptr && !node->held) {
        at(to).writers_at_copy.insert(test::name_of(from));
    }
}

void FakeKernel::Ports::Files::remove(const SandboxKey& key)
{
    kernel->step("files.remove");
    if (const auto found = kernel->files.find(test::name_of(key)); found != kernel->files.end()) {
        kernel->free_space = ByteSize{kernel->free_space.bytes() + found->second.size.bytes()};
        kernel->files.erase(found);
    }
}

std::vector<SandboxKey> FakeKernel::Ports::Files::list()
{
    kernel->step("files.list");
    std::vector<SandboxKey> keys;
    for (const auto& [name, each] : kernel->files) {
        keys.push_back(*key_in(name));
    }
    return keys;
}

void FakeKernel::Ports::TapLinks::create(const SandboxNetwork& network)
{
    kernel->step("taps.create");
    const auto same = [&](const auto& row) { return row.second.altname == network.altname; };
    if (kernel->links.contains(network.tap) || std::any_of(kernel->links.begin(), kernel->links.end(), same)) {
        throw Error{ErrorCode::AlreadyExists, "a link has that name"};
    }
    kernel->links.emplace(network.tap, FakeKernel::Tap{.altname = network.altname, .owner = network.uid, .up = false});
}

void FakeKernel::Ports::TapLinks::up(const SandboxNetwork& network)
{
    kernel->step("taps.up");
    const auto found = kernel->links.find(network.tap);
    if (found == kernel->links.end() || found->second.altname != network.altname) {
        throw Error{ErrorCode::NotFound, "there is no such TAP"};
    }
    found->second.up = true;
}

void FakeKernel::Ports::TapLinks::down(const SandboxNetwork& network) noexcept
{
    if (!kernel->step_quietly("taps.down")) {
        return;
    }
    const auto found = kernel->links.find(network.tap);
    if (found != kernel->links.end() && found->second.altname == network.altname) {
        found->second.up = false;
    }
}

Removal FakeKernel::Ports::TapLinks::remove(const std::string& altname)
{
    kernel->step("taps.remove");
    const auto gone = std::erase_if(kernel->links, [&](const auto& row) {
        return row.second.whose == Whose::Ours && row.second.altname == altname;
    });
    return gone > 0 ? Removal::Removed : Removal::Absent;
}

std::vector<Taps::Tap> FakeKernel::Ports::TapLinks::list()
{
    kernel->step("taps.list");
    std::vector<Taps::Tap> found;
    for (const auto& [name, each] : kernel->links) {
        if (each.whose == Whose::Ours) {
            found.push_back({.name = name, .key = *key_in(each.altname), .index = 100});
        }
    }
    return found;
}

bool FakeKernel::Ports::TapLinks::is_taken(const std::string& name)
{
    kernel->step("taps.is_taken");
    return kernel->links.contains(name);
}

/// A chain of the netdev family is made on a device (nft(8)): without one there is none.
void FakeKernel::Ports::Rules::need_tap(const SandboxNetwork& network) const
{
    const auto found = kernel->links.find(network.tap);
    if (found == kernel->links.end() || found->second.altname != network.altname) {
        throw Error{ErrorCode::Failed, "there is no interface " + network.tap};
    }
}

void FakeKernel::Ports::Rules::step(const char* name) const
{
    kernel->step(name);
    if (kernel->firewall_fails) {
        throw Error{*kernel->firewall_fails, "the test lets the firewall fail"};
    }
}

void FakeKernel::Ports::Rules::add(const SandboxNetwork& network)
{
    step("firewall.add");
    need_tap(network);
    kernel->rules.insert_or_assign(network.altname, network);
}

void FakeKernel::Ports::Rules::remove(const SandboxNetwork& network)
{
    step("firewall.remove");
    kernel->rules.erase(network.altname);
}

void FakeKernel::Ports::Rules::set_nat(const SandboxNetwork& network)
{
    step("firewall.set_nat");
    const auto found = kernel->rules.find(network.altname);
    if (found == kernel->rules.end()) {
        throw Error{ErrorCode::Failed, "there are no rules of " + network.altname};
    }
    found->second.nat = network.nat;
}

void FakeKernel::Ports::Rules::restore(const std::vector<SandboxNetwork>& networks)
{
    step("firewall.restore");
    for (const auto& network : networks) {
        need_tap(network);
    }
    kernel->rules.clear();
    for (const auto& network : networks) {
        kernel->rules.emplace(network.altname, network);
    }
    kernel->firewall_touched_ = false;
}

bool FakeKernel::Ports::Rules::is_whole()
{
    step("firewall.is_whole");
    return !kernel->firewall_touched_;
}

void FakeKernel::Ports::Routes::follow()
{
    kernel->step("forwarding.follow");
    for (auto& [name, each] : kernel->uplinks) {
        if (each.has_default_route && !each.forwards) {
            each.forwards = true;
            each.ours = true;
        } else if (!each.has_default_route && each.ours) {
            each.forwards = false;
            each.ours = false;
        }
    }
}

void FakeKernel::Ports::Routes::release()
{
    kernel->step("forwarding.release");
    for (auto& [name, each] : kernel->uplinks) {
        each.forwards &= !each.ours;
        each.ours = false;
    }
}

std::vector<RecordStore::Entry> FakeKernel::Ports::Records::load()
{
    kernel->step("records.load");
    std::vector<Entry> entries;
    for (const auto& [name, text] : kernel->texts) {
        entries.push_back({name, text});
    }
    return entries;
}

void FakeKernel::Ports::Records::save(const SandboxKey& key, const std::string& text)
{
    kernel->step("records.save");
    kernel->texts.insert_or_assign(record_name(key), text);
}

void FakeKernel::Ports::Records::remove(const SandboxKey& key)
{
    kernel->step("records.remove");
    kernel->texts.erase(record_name(key));
}

std::optional<std::string> FakeKernel::Ports::People::name_of(uid_t uid)
{
    kernel->step("users.name_of");
    if (kernel->users_unavailable) {
        throw Error{ErrorCode::Unavailable, "the user database does not answer"};
    }
    const auto found = kernel->names_of_users.find(uid);
    return found != kernel->names_of_users.end() ? std::optional{found->second} : std::nullopt;
}

}  // namespace banger::broker::test
