// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fakes/bangerd.hpp"

#include <gtest/gtest.h>
#include <systemd/sd-event.h>

#include <latch>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace banger::agent::test {

using std::chrono::milliseconds;

LeaksExpected::LeaksExpected()
{
#if defined(__SANITIZE_ADDRESS__)
    __lsan_disable();
#endif
}

LeaksExpected::~LeaksExpected()
{
#if defined(__SANITIZE_ADDRESS__)
    __lsan_enable();
#endif
}

Bangerd::Bangerd(World& of)
    : world{of}, images{of.root / "image", "debian", 'a'}, kernels{of.root / "kernel", "debian", 'b'}
{
    world.revive();
    constexpr std::uint32_t cpus = 4;
    manager = std::make_unique<VmManager>(ports(), world.vms(), cpus, observer());
}

Bangerd::~Bangerd()
{
    if (!world.is_dead()) {
        settle();  // what is under way may end
    }
    world.bury();
}

VmPorts Bangerd::ports()
{
    constexpr milliseconds soon{300};  // 60 were too few on a busy machine
    return VmPorts{
        .loop = loop,
        .store_lane = store_lane,
        .work_lane = work_lane,
        .store = store,
        .processes = processes,
        .disks = disks,
        .links = links,
        .user_network = network,
        .broker = broker,
        .host_names = host_names,
        .sandbox_owner = "ownerownerow",
        .resolvers = [] { return std::vector<std::string>{"192.0.2.53"}; },
        .images = images,
        .kernels = kernels,
        .ladder = ladder,
        .authorized_keys = [this] { return keys(); },
        .welcome = [this](VmPtr vm, OperationPtr) { return welcome(vm); },
        .open_process = [this](const ProcessId& process) { return world.open(process); },
        .send_signal = [this](const UniqueFd& process, int number) { world.signal(process, number); },
        .open_tcp_port =
            [this](const std::string& address, std::uint16_t number, std::function<void(UniqueFd)> accepted) {
                return open_port(address, number, std::move(accepted));
            },
        .now = [] { return std::int64_t{1'700'000'000}; },
        .limits = {.shutdown_heard = soon, .vmm_quit = soon, .kill = soon, .disk_held = milliseconds{2}}};
}

namespace {

class FakePort final : public TcpPort {
public:
    FakePort(Bangerd& of, std::string name, std::uint16_t number) : of_{&of}, name_{std::move(name)}, number_{number} {}
    ~FakePort() override { of_->open_ports.erase(name_); }
    std::uint16_t number() const noexcept override { return number_; }

private:
    Bangerd* of_;
    std::string name_;
    std::uint16_t number_;
};

}  // namespace

std::unique_ptr<TcpPort> Bangerd::open_port(const std::string& address, std::uint16_t number,
                                            std::function<void(UniqueFd)> accepted)
{
    constexpr std::uint16_t some_free = 40'000;
    const auto port = number != 0 ? number : static_cast<std::uint16_t>(some_free + open_ports.size());
    auto name = address + ":" + std::to_string(port);
    if (open_ports.contains(name) || taken_ports.contains(name)) {
        throw Error{ErrorCode::InUse, name + " is taken"};
    }
    open_ports.emplace(name, std::move(accepted));
    return std::make_unique<FakePort>(*this, std::move(name), port);
}

VmObserver Bangerd::observer()
{
    const auto note = [this](const VmPtr& vm) {
        seen.push_back(vm->name() + " " + std::string{to_string(vm->record.state)});
    };
    return {.added = note,
            .changed = note,
            .removed = [this](const VmPtr& vm) { seen.push_back(vm->name() + " removed"); },
            .log = [this](const std::string& message, const VmPtr& vm) { log.push_back(vm->name() + ": " + message); },
            .little_room = [this](ByteSize free) { little_room.push_back(free); }};
}

Task<std::vector<std::string>> Bangerd::keys()
{
    const auto fault = world.take("keys");
    co_await world.before_async(fault);
    co_await world.after_async(fault);
    std::vector<std::string> some{"ssh-ed25519 AAAA test"};
    co_return some;
}

Task<void> Bangerd::welcome(VmPtr vm)
{
    const auto fault = world.take("welcome");
    co_await world.before_async(fault);
    welcomed.push_back(vm->name());
    co_await world.after_async(fault);
}

bool Bangerd::drive(const std::function<bool()>& done, milliseconds limit)
{
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (world.is_dead() || std::chrono::steady_clock::now() > end) {
            return false;
        }
        constexpr std::uint64_t microseconds = 2'000;
        sd_event_run(loop.get(), microseconds);
    }
    return true;
}

/// Both threads of the work lane and the one of the store's have come to the end of their queues.
void Bangerd::drain_lanes()
{
    const auto together = std::make_shared<std::latch>(work_threads);
    const auto left = std::make_shared<int>(work_threads + 1);
    const auto arrived = [this, left] { loop.post([left] { --*left; }); };
    for (int i = 0; i < work_threads; ++i) {
        EXPECT_TRUE(work_lane.submit([together, arrived] {
            together->arrive_and_wait();
            arrived();
        }));
    }
    EXPECT_TRUE(store_lane.submit(arrived));
    drive([left] { return *left == 0; });
}

void Bangerd::settle()
{
    constexpr int rounds = 12;  // more than any operation has steps in a row
    for (int i = 0; i < rounds && !world.is_dead() && !world.is_hanging(); ++i) {
        drain_lanes();
    }
}

std::shared_ptr<Outcome> Bangerd::begin(Task<void> work)
{
    auto outcome = std::make_shared<Outcome>();
    spawn(std::move(work), [outcome](std::exception_ptr failure) {
        outcome->ended = true;
        if (failure) {
            outcome->error = to_error(failure);
        }
    });
    return outcome;
}

Outcome Bangerd::run(Task<void> work)
{
    const auto outcome = begin(std::move(work));
    drive([&] { return outcome->ended; });
    return *outcome;
}

Outcome Bangerd::recover() { return run(manager->recover(store.load())); }

OperationPtr Bangerd::operation(const std::string& kind) { return std::make_shared<Operation>(1, kind, "a test"); }

VmRequest Bangerd::request(const std::string& name) const
{
    return VmRequest{.name = name,
                     .image = "debian",
                     .kernel = "debian",
                     .vcpus = 1,
                     .memory_mib = 256,
                     .disk = 1 * gib,
                     .vmm = VmmChoice::Auto,
                     .network = NetworkChoice::User};
}

Outcome Bangerd::create(const std::string& name, AfterCreate after) { return create(request(name), after); }

Outcome Bangerd::create(const VmRequest& wanted, AfterCreate after, UniqueFd lease)
{
    constexpr milliseconds ready_limit{300};
    const auto vm = manager->reserve(manager->check(wanted), std::move(lease));
    return run(manager->make(vm, operation("create"), after, ready_limit));
}

Outcome Bangerd::start(const std::string& name)
{
    constexpr milliseconds ready_limit{300};
    return run(manager->start(vm(name), operation("start"), ready_limit));
}

Outcome Bangerd::stop(const std::string& name, milliseconds limit)
{
    return run(manager->stop(vm(name), operation("stop"), limit));
}

Outcome Bangerd::restart(const std::string& name)
{
    return run(manager->restart(vm(name), operation("restart"), std::chrono::seconds{5}));
}

Outcome Bangerd::remove(const std::string& name, Force force)
{
    return run(manager->remove(vm(name), operation("delete"), force));
}

const FakeSandbox* Bangerd::sandbox(const std::string& name)
{
    const auto found = world.sandboxes.find(sandbox_id(name));
    return found != world.sandboxes.end() ? &found->second : nullptr;
}

void Bangerd::end_guest(const std::string& name, std::optional<GuestEnd> said)
{
    world.end_process(world.process_in(vm(name)->folder)->pid, said);
}

std::vector<std::string> Bangerd::faults()
{
    std::vector<std::string> faults;
    const auto expect = [&](bool good, const std::string& otherwise) {
        if (!good) {
            faults.push_back(otherwise);
        }
    };
    std::set<std::string> known;
    std::set<std::string> sandboxes;
    std::size_t running = 0;
    for (const auto& vm : manager->list()) {
        const auto& id = vm->record.id.str();
        known.insert(id);
        running += vm->running ? 1 : 0;
        const auto state = std::string{to_string(vm->record.state)};
        expect(state == "stopped" || state == "failed" || state == "running", vm->name() + " is left " + state);
        expect((state == "running") == static_cast<bool>(vm->running), vm->name() + " is " + state + " by mistake");
        expect(!vm->running == (world.process_in(vm->folder) == nullptr),
               vm->name() + "'s VMM is not as its state says");
        expect(world.rows.contains(id), vm->name() + " has no row");
        for (const auto* file : {"root.img", "work.img", "vm.json"}) {
            expect(std::filesystem::exists(std::filesystem::symlink_status(vm->folder / file)),
                   vm->name() + " has no " + file);
        }
        const bool is_snapshot = vm->record.spec.storage == StorageChoice::DmSnapshot;
        const auto* sandbox = this->sandbox(vm->name());
        expect(vm->record.spec.storage != StorageChoice::Auto, vm->name() + " has no storage");
        expect(std::filesystem::is_symlink(vm->folder / "root.img") == is_snapshot,
               vm->name() + "'s root disk is not what it says");
        expect(!is_snapshot || (sandbox != nullptr && sandbox->base), vm->name() + " lost its root disk");
        expect(
            (sandbox != nullptr && sandbox->running) == (vm->running && (is_snapshot || vm->record.network == "tap")),
            vm->name() + "'s sandbox does not run as its VMM does");
        sandboxes.insert(sandbox_id(vm->name()));
        expect(world.networks.contains(vm->folder) == (vm->record.network == "user"),
               vm->name() + "'s network is left over");
        expect(!vm->lifecycle.is_locked(), vm->name() + "'s lifecycle is held by nobody");
    }
    for (const auto& [id, sandbox] : world.sandboxes) {
        expect(sandboxes.contains(id) || !id.starts_with("ownerownerow-"), "a sandbox is left over: " + id);
    }
    expect(world.rows.size() == known.size(), "there are rows of no VM");
    expect(world.live_processes() == running, "there are VMMs of no VM");
    expect(world.networks.size() <= running, "there are networks of no VM");
    for (const auto& entry : std::filesystem::directory_iterator{world.vms()}) {
        expect(known.contains(entry.path().filename()), "a folder is left over: " + entry.path().filename().string());
    }
    return faults;
}

}  // namespace banger::agent::test
