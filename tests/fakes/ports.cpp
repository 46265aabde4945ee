// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fakes/ports.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace banger::agent::test {

std::vector<VmRecord> FakeStore::load()
{
    const std::lock_guard lock{world_->mutex};
    std::vector<VmRecord> records;
    for (const auto& [id, record] : world_->rows) {
        records.push_back(record);
    }
    std::sort(records.begin(), records.end(),
              [](const VmRecord& a, const VmRecord& b) { return a.spec.name < b.spec.name; });
    return records;
}

void FakeStore::insert(const VmRecord& record)
{
    const auto fault = world_->take("store.insert");
    world_->before(fault);
    {
        const std::lock_guard lock{world_->mutex};
        for (const auto& [id, other] : world_->rows) {
            if (other.spec.name == record.spec.name) {
                throw Error{ErrorCode::AlreadyExists, "the name is taken in the database"};
            }
        }
        world_->rows.emplace(record.id.str(), record);
    }
    world_->after(fault);
}

void FakeStore::update(const VmRecord& record)
{
    const auto fault = world_->take("store.update");
    world_->before(fault);
    {
        const std::lock_guard lock{world_->mutex};
        const auto at = world_->rows.find(record.id.str());
        if (at == world_->rows.end()) {
            throw Error{ErrorCode::NotFound, "no such row"};
        }
        at->second = record;
    }
    world_->after(fault);
}

void FakeStore::remove(const VmId& id)
{
    const auto fault = world_->take("store.remove");
    world_->before(fault);
    {
        const std::lock_guard lock{world_->mutex};
        world_->rows.erase(id.str());
    }
    world_->after(fault);
}

Task<ProcessId> FakeProcessHost::start(ProcessSpec spec)
{
    const auto fault = world_->take("process.start");
    co_await world_->before_async(fault);
    const int pid = world_->start_process(spec.directory);
    const auto start_time = world_->process_in(spec.directory)->start_time;
    std::ofstream{spec.log, std::ios::app} << "the fake VMM " << pid << " runs\n";
    co_await world_->after_async(fault);
    if (!world_->vmms.told) {
        throw Error{ErrorCode::Failed, "nobody tells what runs"};
    }
    co_return ProcessId{pid, start_time, {}};
}

Task<ProcessId> FakeProcessHost::find(VmId, std::string, std::filesystem::path directory, ProcessId noted)
{
    const auto fault = world_->take("process.find");
    co_await world_->before_async(fault);
    co_await world_->after_async(fault);
    const auto* process = world_->process_in(directory);
    if (world_->vmms.hidden && process != nullptr && process->pid != noted.pid) {
        co_return ProcessId{};
    }
    co_return process != nullptr ? ProcessId{process->pid, process->start_time, {}} : ProcessId{};
}

void FakeDisks::make(const char* step, const std::filesystem::path& file, const std::stop_token& stop)
{
    const auto fault = world_->take(step);
    world_->before(fault);
    if (stop.stop_requested()) {
        throw Error{ErrorCode::Cancelled, "cancelled"};
    }
    std::ofstream{file} << step;
    world_->after(fault);
}

void FakeDisks::make_root(const std::filesystem::path&, const std::filesystem::path& folder,
                          const std::stop_token& stop)
{
    make("disks.root", folder / "root.img", stop);
}

void FakeDisks::make_work(const std::filesystem::path& folder, ByteSize)
{
    make("disks.work", folder / "work.img", {});
}

void FakeDisks::sync(const std::filesystem::path&)
{
    const auto fault = world_->take("disks.sync");
    world_->before(fault);
    world_->after(fault);
}

void FakeDisks::grow_work(const std::filesystem::path& folder, ByteSize, const std::stop_token& stop)
{
    make("disks.grow", folder / "work.img", stop);
}

Task<GuestNetwork> FakeNetwork::start(NetworkRequest request)
{
    const auto fault = world_->take("network.start");
    co_await world_->before_async(fault);
    world_->networks.emplace(request.folder, request.loopback);
    co_await world_->after_async(fault);
    co_return describe(request.vm, "192.0.2.7");
}

void FakeHostNames::tell(const std::vector<HostName>& names)
{
    ++world_->names_told;
    if (world_->names_fail) {
        throw Error{ErrorCode::NoSpace, "no room for names"};
    }
    world_->host_names = names;
}

GuestNetwork FakeNetwork::describe(const VmId&, const std::string& address) const
{
    return {.kind = "user", .address = address, .prefix = 24, .gateway = "192.0.2.1"};
}

void FakeNetwork::stop(const std::filesystem::path& folder) noexcept
{
    if (!world_->is_dead()) {
        world_->networks.erase(folder);
    }
}

namespace {

class FakeControl final : public VmmControl {
public:
    FakeControl(World& world, int pid, std::optional<GuestEnd>& said) : world_{&world}, pid_{pid}, said_{&said} {}
    bool quit() override
    {
        if (world_->vmms.obey_quit && !world_->is_dead()) {
            world_->end_process(pid_, std::nullopt);
        }
        return true;
    }
    bool is_stuck() const override { return world_->vmms.stuck; }
    void go_on() override { world_->vmms.stuck = false; }
    std::optional<GuestEnd> guest_end() override { return *said_; }

private:
    World* world_;
    int pid_;
    std::optional<GuestEnd>* said_;
};

}  // namespace

VmmStreams FakeVmm::prepare(const std::filesystem::path& folder) const
{
    world_->step_now("vmm.prepare");
    world_->last_prepared = folder;
    return {.error_log = "qemu.log"};
}

std::vector<std::string> FakeVmm::command(const VmmConfig& wanted) const
{
    world_->step_now("vmm.command");
    config = wanted;
    root_disk.clear();
    if (const auto path = world_->last_prepared / "root.img"; std::filesystem::is_symlink(path)) {
        root_disk = std::filesystem::read_symlink(path);
    }
    return {"/fake/vmm"};
}

std::unique_ptr<VmmControl> FakeVmm::attach(EventLoop&, const std::filesystem::path& folder) const
{
    world_->step_now("vmm.attach");
    auto* process = world_->process_in(folder);
    if (process == nullptr) {
        throw Error{ErrorCode::Unavailable, "no VMM"};
    }
    return std::make_unique<FakeControl>(*world_, process->pid, process->said);
}

Task<void> FakeVmm::boot(EventLoop& loop, std::filesystem::path, VmmConfig, int process) const
{
    const auto fault = world_->take("vmm.boot");
    co_await world_->before_async(fault);
    if (world_->vmms.slow) {
        Promise<Unit> ended;
        const auto watch = loop.on_io(process, EventLoop::readable, [ended](std::uint32_t) {
            if (!ended.is_set()) {
                ended.fail(std::make_exception_ptr(Error{ErrorCode::Failed, "it ended before its guest was started"}));
            }
        });
        co_await ended.wait();
    }
    co_await world_->after_async(fault);
}

Task<bool> FakeVmm::has_booted(EventLoop&, std::filesystem::path) const { co_return world_->vmms.booted; }

GuestDoor FakeVmm::guest_door(const std::filesystem::path& folder) const
{
    return {[this, folder] {
        connected = folder;
        return UniqueFd{};
    }};
}

Task<VmmLadder::Pick> FakeLadder::choose(VmSpec spec, Artifact)
{
    network = spec.network;
    const auto fault = world_->take("ladder.choose");
    co_await world_->before_async(fault);
    co_await world_->after_async(fault);
    co_return Pick{vmm_, ""};
}

const Vmm* FakeLadder::by_name(std::string_view name) const noexcept
{
    return world_->vmms.known && name == vmm_->name() ? vmm_ : nullptr;
}

FakeLink::FakeLink(World& world, EventLoop& loop, std::filesystem::path folder, GuestSettings settings,
                   GuestLinkEvents events)
    : world_{&world},
      loop_{&loop},
      folder_{std::move(folder)},
      settings_{std::move(settings)},
      events_{std::move(events)}
{
    later([this] { boot(); });
}

void FakeLink::later(std::function<void()> call)
{
    loop_->post([alive = std::weak_ptr{alive_}, call = std::move(call)] {
        if (alive.lock()) {
            call();
        }
    });
}

void FakeLink::boot()
{
    auto* process = world_->process_in(folder_);
    if (process == nullptr || world_->is_dead()) {
        return;
    }
    const auto& guests = world_->guests;
    if (process->guest_is_up) {
        say_ready();
    } else if (guests.end_early || guests.crash_early) {
        world_->end_process(process->pid, guests.end_early);
    } else if (guests.get_ready) {
        process->guest_is_up = true;
        say_ready();
    }
}

void FakeLink::say_ready()
{
    later([this] { events_.ready(); });
}
void FakeLink::say_goodbye(GuestGoodbye goodbye)
{
    goodbye_ = goodbye;
    later([this, goodbye] { events_.goodbye(goodbye); });
}
void FakeLink::say_failed(std::string why)
{
    later([this, why = std::move(why)] { events_.failed(why); });
}

Task<void> FakeLink::shut_down(std::chrono::milliseconds limit)
{
    const auto fault = world_->take("link.shut_down");
    co_await world_->before_async(fault);
    if (!world_->guests.hear) {
        const Promise<Unit> answer;
        co_await answer.wait(*loop_, limit, Error{ErrorCode::TimedOut, "the guest took too long to answer"});
    }
    if (auto* process = world_->process_in(folder_); process != nullptr && world_->guests.shut_down) {
        say_goodbye(GuestGoodbye::PowerOff);
        later(
            [world = world_, pid = process->pid] { world->end_process(pid, GuestEnd::Reset); });  // as Firecracker's do
    }
    co_await world_->after_async(fault);
}

namespace {

[[noreturn]] void not_here() { throw Error{ErrorCode::Unavailable, "the fake guest does none of this"}; }

}  // namespace

Task<GuestCommandEnds> FakeLink::exec(GuestCommand)
{
    not_here();
    co_return GuestCommandEnds{};
}
Task<UniqueFd> FakeLink::connect(std::string, std::uint16_t)
{
    not_here();
    co_return UniqueFd{};
}
Task<void> FakeLink::join(std::string host, std::uint16_t port, UniqueFd)
{
    joined.push_back(host + ":" + std::to_string(port));
    co_return;
}
Task<GuestCopyEnds> FakeLink::copy_in(Bytes)
{
    not_here();
    co_return GuestCopyEnds{};
}
Task<GuestCopyEnds> FakeLink::copy_out(Bytes)
{
    not_here();
    co_return GuestCopyEnds{};
}
Task<nlohmann::json> FakeLink::query(std::string what, Bytes)
{
    if (what != "stats" || !statistics) {
        not_here();
    }
    const auto answer = co_await statistics();
    co_return answer;
}

std::unique_ptr<GuestLink> FakeLinks::open(GuestDoor door, GuestSettings settings, GuestLinkEvents events)
{
    world_->step_now("links.open");
    door.connect();
    return std::make_unique<FakeLink>(*world_, *loop_, vmm_->connected, std::move(settings), std::move(events));
}

FakeArtifacts::FakeArtifacts(std::filesystem::path folder, std::string name, char digit)
    : artifact{.name = std::move(name),
               .digest = Digest::parse(std::string(64, digit)),
               .folder = std::move(folder),
               .size = 1,
               .used = 1,
               .version = "6.1.0",
               .origin = "a test",
               .created = 1}
{
}

std::optional<Artifact> FakeArtifacts::find(std::string_view name) const
{
    const bool found = !missing && (name == artifact.name || name == artifact.digest.str());
    return found ? std::optional{artifact} : std::nullopt;
}

void FakeArtifacts::check(const Artifact& checked) const
{
    if (damaged || checked.damaged) {
        throw Error{ErrorCode::CorruptData, "the image " + artifact.name + " is another than it was"};
    }
}

Artifact FakeArtifacts::adopt(const std::filesystem::path&, const std::function<bool(const Digest&)>&)
{
    return artifact;
}

}  // namespace banger::agent::test
