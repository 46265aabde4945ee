// SPDX-License-Identifier: GPL-2.0-or-later
// The half of VmSandboxes that serves one VM. vm_sandbox_care.cpp looks after all of them.
#include "agent/core/vm/vm_sandboxes.hpp"

#include "agent/core/vm/vm_folder.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

/// Waits for work that may take minutes (polkit asks somebody), unless it is cancelled, or somebody wants the VM's end: the work then goes on by
/// itself.
Task<void> unless_cancelled(VmPtr vm, OperationPtr operation, Task<void> work)
{
    operation->check_cancelled();
    Promise<Unit> over;
    vm->end_wait = [over] {
        over.fail(std::make_exception_ptr(Error{ErrorCode::Cancelled, "cancelled, as was asked for"}));
    };
    operation->on_cancel(vm->end_wait);
    spawn(std::move(work), [over](std::exception_ptr failure) {
        if (failure) {
            over.fail(failure);
        } else {
            over.set(Unit{});
        }
    });
    std::exception_ptr failure;
    try {
        co_await over.wait();
    } catch (...) {
        failure = std::current_exception();
    }
    operation->on_cancel({});
    vm->end_wait = {};
    if (failure) {
        std::rethrow_exception(failure);
    }
}

/// While it lives, polkit may be asking somebody about the VM's sandbox, for as long as that one likes.
class Asking {
public:
    Asking(VmPtr vm, Prompt prompt) : vm_{std::move(vm)} { vm_->asking = prompt == Prompt::Allowed; }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking() { vm_->asking = false; }

private:
    VmPtr vm_;
};

/// The broker's sentence speaks of sandboxes; ours says which VM, and what to do.
Error explained(const Error& error, const VmPtr& vm, const std::string& what)
{
    const std::string sentence = error.what();
    switch (error.code()) {
        case ErrorCode::Unavailable:
            return Error{error.code(), "banger-broker went away twice while it was to " + what + " of " + vm->name() +
                                           " (" + sentence + "); systemctl status banger-broker tells why"};
        case ErrorCode::NotFound:
            return Error{error.code(), "banger-broker has no root disk of " + vm->name() +
                                           " any more, so what was in it is lost, unless your user name has changed "
                                           "(banger-broker(8), USERS WHO GO); banger vm delete " +
                                           vm->name() + " removes the rest"};
        default:
            return Error{error.code(), "banger-broker can't " + what + " of " + vm->name() + ": " + sentence};
    }
}

}  // namespace

TapWish tap_wish(const VmSpec& spec) noexcept
{
    if (spec.network == NetworkChoice::Tap) {
        return TapWish::Asked;
    }
    return spec.network == NetworkChoice::Auto && spec.nat == Nat::On ? TapWish::IfEasy : TapWish::No;
}

VmSandboxes::VmSandboxes(const VmPorts& ports, Hooks hooks) : ports_{ports}, hooks_{std::move(hooks)}
{
    ports_.broker.on_change([this] { align(); });
}

std::string VmSandboxes::id_of(const VmPtr& vm) const { return ports_.sandbox_owner + "-" + vm->record.id.str(); }

void VmSandboxes::plan(VmRecord& record) noexcept
{
    record.sandbox = record.spec.storage != StorageChoice::File || tap_wish(record.spec) == TapWish::Asked;
}

Task<void> VmSandboxes::write(VmPtr vm)
{
    auto& store = ports_.store;
    auto update = [&store, row = vm->record] { store.update(row); };
    co_await run_on(ports_.loop, ports_.store_lane, std::move(update));
}

SandboxBase VmSandboxes::base_of(const VmPtr& vm) const
{
    const auto& spec = vm->record.spec;
    auto image = ports_.images.find(spec.image_digest.str());
    if (!image) {
        throw Error{ErrorCode::NotFound, "the image of " + vm->name() +
                                             " is gone from the cache, and its root disk lies over it; banger image "
                                             "build --name " +
                                             spec.image + " may bring it back"};
    }
    image->damaged = false;  // some blocks may be lost; but nothing else has what the VM's own lie over
    ports_.images.check(*image);
    return {image->folder / artifact_file::root_file_system, spec.image_digest};
}

/// With the NAT that its user asks for, so that he is asked once; a broker that is older than that gives it when it is switched on.
Task<void> VmSandboxes::create(VmPtr vm, std::optional<Digest> base, Prompt prompt)
{
    const auto nat = tap_wish(vm->record.spec) == TapWish::Asked ? vm->record.spec.nat : Nat::Off;
    bool is_too_old = false;
    try {
        co_await create_with(vm, base, nat, prompt);
    } catch (const Error& error) {
        is_too_old = nat == Nat::On && error.code() == ErrorCode::InvalidArgument;
        if (!is_too_old) {
            throw;
        }
    }
    if (is_too_old) {
        co_await create_with(vm, base, Nat::Off, prompt);
    }
}

/// One that is there already is of a bangerd that was killed just after it.
Task<void> VmSandboxes::create_with(VmPtr vm, std::optional<Digest> base, Nat nat, Prompt prompt)
{
    if (ports_.sandbox_owner.empty()) {
        throw Error{ErrorCode::HostLacks, "no sandbox can be made; banger daemon status tells why"};
    }
    const auto overlay = base ? vm->record.spec.overlay : ByteSize{};
    const Asking asking{vm, prompt};
    std::optional<Error> failure;
    try {
        co_await ports_.broker.create(id_of(vm), std::move(base), overlay, nat, prompt);
        vm->record.sandbox_nat = nat;
    } catch (const Error& error) {
        failure = error;
    }
    if (failure && failure->code() != ErrorCode::AlreadyExists) {
        throw Error{*failure};
    }
}

Task<void> VmSandboxes::make(VmPtr vm, OperationPtr operation)
{
    auto& spec = vm->record.spec;
    const bool asked_tap = tap_wish(spec) == TapWish::Asked;
    if (spec.storage != StorageChoice::File) {
        operation->set_stage("making the sandbox");
        const bool chosen = spec.storage == StorageChoice::Auto;
        std::optional<Error> lack;
        try {
            auto making = make_disk(vm, chosen && !asked_tap ? Prompt::Never : Prompt::Allowed);
            co_await unless_cancelled(vm, operation, std::move(making));
        } catch (const Error& error) {
            lack = error;
        }
        const bool refused = lack && lack->code() == ErrorCode::NotAuthorized && asked_tap;
        if (lack && (!chosen || refused || lack->code() == ErrorCode::Cancelled)) {
            throw Error{*lack};
        }
        if (lack) {
            if (lack->code() != ErrorCode::HostLacks && lack->code() != ErrorCode::NotAuthorized) {
                log(std::string{"its root disk is a file, as there is no other: "} + lack->what(), vm);
            }
            co_await remove(vm, Patience::Wait);
            vm->record.sandbox = false;
            vm->record.sandbox_nat = Nat::Off;  // went with it; the one that is made now must be told
        }
        spec.storage = lack ? StorageChoice::File : StorageChoice::DmSnapshot;
    }
    if (asked_tap && spec.storage == StorageChoice::File) {
        operation->set_stage("making the sandbox");
        auto making = make_network(vm);
        co_await unless_cancelled(vm, operation, std::move(making));
    }
}

/// Created and started: only that says whether the image's file system, the kernel and the udev rules are as they must be.
Task<void> VmSandboxes::make_disk(VmPtr vm, Prompt prompt)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    co_await create(vm, vm->record.spec.image_digest, prompt);
    const auto storage = vm->record.spec.storage;
    vm->record.spec.storage = StorageChoice::DmSnapshot;
    std::exception_ptr failure;
    try {
        vm->sandbox_started = co_await bring_up(vm);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        vm->record.spec.storage = storage;
        std::rethrow_exception(failure);
    }
}

/// Now, and not at the first start: the user is there to be asked.
Task<void> VmSandboxes::make_network(VmPtr vm)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    vm->record.sandbox = true;
    co_await create(vm, std::nullopt, Prompt::Allowed);
    co_await make_ready(vm, Prompt::Allowed);
}

/// The sandbox is there and has its NAT.
Task<void> VmSandboxes::make_ready(VmPtr vm, Prompt prompt)
{
    auto& record = vm->record;
    if (!record.sandbox) {
        record.sandbox = true;
        co_await write(vm);
        std::exception_ptr failure;
        try {
            co_await create(vm, std::nullopt, prompt);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {
            record.sandbox = false;
            std::rethrow_exception(failure);
        }
    }
    if (record.sandbox_nat != record.spec.nat) {
        const auto nat = record.spec.nat;
        const Asking asking{vm, prompt};
        co_await ports_.broker.set_nat(id_of(vm), nat, prompt);
        record.sandbox_nat = nat;
    }
}

/// Disk and TAP, as the spec wants them; without the TAP where that was only liked.
Task<StartedSandbox> VmSandboxes::bring_up(VmPtr vm)
{
    const auto wish = tap_wish(vm->record.spec);
    std::optional<Error> lack;
    if (wish != TapWish::No) {
        try {
            co_await make_ready(vm, wish == TapWish::Asked ? Prompt::Allowed : Prompt::Never);
            co_return co_await begin(vm, SandboxNetwork::Tap);
        } catch (const Error& error) {
            lack = error;
        }
        if (wish == TapWish::Asked) {
            throw Error{*lack};
        }
        vm->tap_lack = std::string{"no NAT of the broker's, so the network is user-mode: "} + lack->what();
        log(vm->tap_lack, vm);
    }
    if (vm->record.spec.storage != StorageChoice::DmSnapshot) {
        co_return StartedSandbox{};
    }
    co_return co_await begin(vm, SandboxNetwork::None);
}

/// Asked again once when the broker goes away in the middle, when the sandbox runs on from last time, and when a network is forgotten.
Task<StartedSandbox> VmSandboxes::begin(VmPtr vm, SandboxNetwork network)
{
    const bool has_disk = vm->record.spec.storage == StorageChoice::DmSnapshot;
    std::optional<SandboxBase> base;
    if (has_disk) {
        base = base_of(vm);
    }
    std::set<ErrorCode> seen;
    while (true) {
        std::optional<Error> failure;
        try {
            co_return co_await ports_.broker.start(id_of(vm), base, network);
        } catch (const Error& error) {
            failure = error;
        }
        const auto code = failure->code();
        const bool first = seen.insert(code).second;
        if (first && code == ErrorCode::WrongState) {
            co_await until_free(&VmSandboxes::stop_now, id_of(vm));
        } else if (first && code == ErrorCode::NotFound && !has_disk) {
            vm->record.sandbox = false;
            vm->record.sandbox_nat = Nat::Off;
            co_await make_ready(vm, Prompt::Never);
        } else if (!first || code != ErrorCode::Unavailable) {
            throw explained(*failure, vm, "start the sandbox");
        }
    }
}

Task<std::optional<GuestNetwork>> VmSandboxes::start(VmPtr vm, OperationPtr operation)
{
    const bool has_disk = vm->record.spec.storage == StorageChoice::DmSnapshot;
    if (!has_disk && tap_wish(vm->record.spec) == TapWish::No) {
        co_return std::nullopt;
    }
    operation->set_stage("starting the sandbox");
    auto starting = keep_started(vm);
    co_await unless_cancelled(vm, operation, std::move(starting));
    const auto started = *std::exchange(vm->sandbox_started, std::nullopt);
    if (has_disk) {
        co_await link_root(vm, started.disk);
    }
    if (started.tap.empty()) {
        vm->record.reason = std::exchange(vm->tap_lack, "");  // said, not silent
        co_return std::nullopt;
    }
    GuestNetwork network{.kind = "tap",
                         .address = started.guest_address,
                         .prefix = started.prefix,
                         .gateway = started.gateway,
                         .dns = ports_.resolvers(),
                         .vmm = {VmmNetwork::Kind::Tap, "", started.mac, started.tap}};
    co_return network;
}

/// What a VM's making has started is its first start's.
Task<void> VmSandboxes::keep_started(VmPtr vm)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    if (!vm->sandbox_started) {
        vm->sandbox_started = co_await bring_up(vm);
    }
}

Task<void> VmSandboxes::link_root(VmPtr vm, std::string disk)
{
    auto link = [path = vm->folder / vm_folder::root_disk, disk = std::move(disk)] {
        std::filesystem::remove(path);
        std::filesystem::create_symlink(disk, path);
    };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(link));
}

void VmSandboxes::stop(const VmPtr& vm)
{
    if (!vm->record.sandbox) {
        return;
    }
    nameless_.erase(id_of(vm));
    if (named_.erase(id_of(vm)) > 0) {
        ports_.broker.forget_name(vm->name());
    }
    spawn(stop_in_turn(vm), [this, vm](std::exception_ptr failure) {
        if (failure) {
            log(std::string{"its sandbox can't be stopped: "} + to_error(failure).what(), vm);
        }
    });
}

Task<void> VmSandboxes::stop_in_turn(VmPtr vm)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    vm->sandbox_started.reset();
    if (!vm->removed) {
        co_await until_free(&VmSandboxes::stop_now, id_of(vm));
    }
}

Task<void> VmSandboxes::settled(VmPtr vm)
{
    if (vm->sandbox_turn.is_locked() && !vm->asking) {
        const auto turn = co_await vm->sandbox_turn.lock();
    }
}

Task<void> VmSandboxes::stop_now(std::string id) { co_await ports_.broker.stop(std::move(id)); }
Task<void> VmSandboxes::destroy_now(std::string id) { co_await ports_.broker.destroy(std::move(id)); }

/// A disk is held a moment longer than its VMM lives, by udev or by a VMM that was killed just now, and nobody tells when it is free.
/// What isn't there any more is fine.
Task<void> VmSandboxes::until_free(Task<void> (VmSandboxes::*call)(std::string), std::string id)
{
    constexpr int tries = 20;
    for (int left = tries; left >= 0; --left) {
        std::optional<Error> failure;
        try {
            co_await (this->*call)(id);
        } catch (const Error& error) {
            failure = error;
        }
        if (!failure || failure->code() == ErrorCode::NotFound) {
            co_return;
        }
        if (failure->code() != ErrorCode::InUse || left == 0) {
            throw Error{*failure};
        }
        const Promise<Unit> a_while;
        try {
            co_await a_while.wait(ports_.loop, ports_.limits.disk_held, Error{ErrorCode::TimedOut, ""});
        } catch (const Error&) {  // NOLINT(bugprone-empty-catch): that is the end of the pause
        }
    }
}

Task<void> VmSandboxes::remove(VmPtr vm, Patience patience)
{
    if (!vm->record.sandbox) {
        co_return;
    }
    // What still works on it may wait for polkit's answer, and this one is not to.
    if (patience == Patience::None || vm->sandbox_turn.is_locked()) {
        destroy_later(vm);
        co_return;
    }
    std::optional<Error> failure;
    try {
        co_await destroy_in_turn(vm);
    } catch (const Error& error) {
        failure = error;
    }
    if (failure && failure->code() == ErrorCode::InUse) {
        throw Error{ErrorCode::InUse, "the root disk of " + vm->name() + " is held open by another program: " +
                                          failure->what() + "; end that program, then delete it again"};
    }
    if (failure &&
        failure->code() != ErrorCode::HostLacks) {  // without a broker there is nobody to tell again and again
        leftovers_.insert(id_of(vm));
        log(std::string{"its sandbox is removed when the broker can be reached: "} + failure->what(), vm);
    }
}

void VmSandboxes::destroy_later(const VmPtr& vm)
{
    const auto id = id_of(vm);
    leftovers_.insert(id);
    spawn(destroy_in_turn(vm), [this, id](std::exception_ptr failure) {
        if (!failure) {
            leftovers_.erase(id);
        }
    });
}

Task<void> VmSandboxes::destroy_in_turn(VmPtr vm)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    vm->sandbox_started.reset();
    co_await until_free(&VmSandboxes::destroy_now, id_of(vm));
}

Task<void> VmSandboxes::tell_nat(VmPtr vm, OperationPtr operation)
{
    auto telling = tell_nat_in_turn(vm);
    co_await unless_cancelled(vm, operation, std::move(telling));
}

Task<void> VmSandboxes::tell_nat_in_turn(VmPtr vm)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    if (vm->record.sandbox || vm->record.spec.nat == Nat::On) {
        co_await make_ready(vm, Prompt::Allowed);
        co_await make_ready(vm, Prompt::Never);  // what the spec says by now: somebody may answer what was called off
    }
}

Task<void> VmSandboxes::grow(VmPtr vm, OperationPtr operation, ByteSize overlay)
{
    auto growing = grow_in_turn(vm, operation, overlay);
    co_await unless_cancelled(vm, operation, std::move(growing));
}

Task<void> VmSandboxes::grow_in_turn(VmPtr vm, OperationPtr operation, ByteSize overlay)
{
    const auto turn = co_await vm->sandbox_turn.lock();
    operation->check_cancelled();
    co_await ports_.broker.grow(id_of(vm), overlay);
    align();
}

}  // namespace banger::agent
