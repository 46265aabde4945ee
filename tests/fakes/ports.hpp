// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <set>

#include <functional>
#include <memory>
#include <optional>

#include "agent/core/vm/vm_ports.hpp"
#include "tests/fakes/world.hpp"

// bangerd's ports over a World. Each call is a step of it.
namespace banger::agent::test {

class FakeStore final : public VmStore {
public:
    explicit FakeStore(World& world) : world_{&world} {}
    std::vector<VmRecord> load() override;
    void insert(const VmRecord& record) override;
    void update(const VmRecord& record) override;
    void remove(const VmId& id) override;

private:
    World* world_;
};

class FakeProcessHost final : public ProcessHost {
public:
    explicit FakeProcessHost(World& world) : world_{&world} {}
    Task<ProcessId> start(ProcessSpec spec) override;
    Task<ProcessId> find(VmId vm, std::string role, std::filesystem::path directory, ProcessId noted) override;

private:
    World* world_;
};

class FakeDisks final : public VmDisks {
public:
    explicit FakeDisks(World& world) : world_{&world} {}
    void make_root(const std::filesystem::path& image, const std::filesystem::path& folder,
                   const std::stop_token& stop) override;
    void make_work(const std::filesystem::path& folder, ByteSize size) override;
    void grow_work(const std::filesystem::path& folder, ByteSize size, const std::stop_token& stop) override;
    void sync(const std::filesystem::path& folder) override;
    std::uint64_t free_bytes(const std::filesystem::path&) const noexcept override { return free; }
    std::uint64_t allocated(const std::filesystem::path&) const noexcept override { return 0; }

    std::uint64_t free{std::uint64_t{1} << 40U};

private:
    void make(const char* step, const std::filesystem::path& file, const std::stop_token& stop);
    World* world_;
};

class FakeNetwork final : public NetworkDriver {
public:
    explicit FakeNetwork(World& world) : world_{&world} {}
    Task<GuestNetwork> start(NetworkRequest request) override;
    GuestNetwork describe(const VmId& vm, const std::string& address) const override;
    void stop(const std::filesystem::path& folder) noexcept override;

private:
    World* world_;
};

class FakeBroker final : public Broker {
public:
    explicit FakeBroker(World& world) : world_{&world} {}
    Task<void> create(std::string id, std::optional<Digest> base, ByteSize overlay, Nat nat, Prompt prompt) override;
    Task<StartedSandbox> start(std::string id, std::optional<SandboxBase> base, SandboxNetwork network) override;
    Task<void> stop(std::string id) override;
    Task<void> grow(std::string id, ByteSize overlay) override;
    Task<void> set_nat(std::string id, Nat nat, Prompt prompt) override;
    Task<void> destroy(std::string id) override;
    Task<std::vector<SandboxRow>> list() override;
    Task<void> publish(std::string id, std::string name, std::string gateway, std::string address) override;
    void forget_name(const std::string& name) noexcept override;
    Task<BrokerReport> examine() override;
    void on_change(std::function<void()> call) override { changed = std::move(call); }

    std::function<void()> changed;
    std::set<std::string> answered;  ///< names for which this bangerd answers

private:
    Fault enter(const std::string& call);
    void authorize(Prompt prompt) const;
    FakeSandbox& at(const std::string& id);
    void check_free();
    World* world_;
};

class FakeHostNames final : public HostNames {
public:
    explicit FakeHostNames(World& world) : world_{&world} {}
    void tell(const std::vector<HostName>& names) override;

private:
    World* world_;
};

class FakeVmm final : public Vmm {
public:
    explicit FakeVmm(World& world) : world_{&world} {}
    std::string_view name() const noexcept override { return "fake"; }
    VmmNetwork::Kind network_kind() const noexcept override { return VmmNetwork::Kind::StreamSocket; }
    std::string_view log_name() const noexcept override { return "qemu.log"; }
    VmmStreams prepare(const std::filesystem::path& folder) const override;
    std::vector<std::string> command(const VmmConfig& config) const override;
    std::string kernel_arguments() const override { return " fake"; }
    Task<void> boot(EventLoop& loop, std::filesystem::path folder, VmmConfig config, int process) const override;
    Task<bool> has_booted(EventLoop& loop, std::filesystem::path folder) const override;
    std::unique_ptr<VmmControl> attach(EventLoop& loop, const std::filesystem::path& folder) const override;
    GuestDoor guest_door(const std::filesystem::path& folder) const override;

    mutable std::filesystem::path connected{};  ///< the folder of the last connection to a guest
    mutable std::optional<VmmConfig> config{};  ///< the last one
    mutable std::string root_disk{};            ///< where its root.img led to when it was started

private:
    World* world_;
};

class FakeLadder final : public VmmLadder {
public:
    FakeLadder(World& world, const FakeVmm& vmm) : world_{&world}, vmm_{&vmm} {}
    Task<Pick> choose(VmSpec spec, Artifact kernel) override;
    NetworkChoice network{NetworkChoice::Auto};  ///< of the last one to choose for
    Task<void> look_ahead(Artifact) override { co_return; }
    const Vmm* by_name(std::string_view name) const noexcept override;

private:
    World* world_;
    const FakeVmm* vmm_;
};

/// The guest of one VM, as its link sees it.
class FakeLink final : public GuestLink {
public:
    FakeLink(World& world, EventLoop& loop, std::filesystem::path folder, GuestSettings settings,
             GuestLinkEvents events);

    Task<GuestCommandEnds> exec(GuestCommand command) override;
    Task<UniqueFd> connect(std::string host, std::uint16_t port) override;
    Task<void> join(std::string host, std::uint16_t port, UniqueFd client) override;
    Task<GuestCopyEnds> copy_in(Bytes directory) override;
    Task<GuestCopyEnds> copy_out(Bytes path) override;
    Task<nlohmann::json> query(std::string what, Bytes argument) override;
    void tell_names(std::vector<HostName> now) override { names = std::move(now); }
    void tell_time() override { ++times_told; }
    std::chrono::steady_clock::time_point last_use() const noexcept override { return used; }
    Task<void> shut_down(std::chrono::milliseconds limit) override;
    std::optional<GuestGoodbye> last_goodbye() override { return goodbye_; }

    std::chrono::steady_clock::time_point used{std::chrono::steady_clock::now()};
    /// From the loop, as a real one does; nothing happens once this is gone.
    void say_ready();
    void say_goodbye(GuestGoodbye goodbye);
    void say_failed(std::string why);
    const std::filesystem::path& folder() const noexcept { return folder_; }
    const GuestSettings& settings() const noexcept { return settings_; }
    std::vector<HostName> names{};                     ///< that it was told last
    int times_told{0};                                 ///< what time it is
    std::vector<std::string> joined{};                 ///< "HOST:PORT" of each connection that was led in
    std::function<Task<nlohmann::json>()> statistics;  ///< how it answers `stats`

private:
    void boot();
    void later(std::function<void()> call);

    World* world_;
    EventLoop* loop_;
    std::filesystem::path folder_;
    GuestSettings settings_;
    GuestLinkEvents events_;
    std::optional<GuestGoodbye> goodbye_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

class FakeLinks final : public GuestLinks {
public:
    FakeLinks(World& world, EventLoop& loop, const FakeVmm& vmm) : world_{&world}, loop_{&loop}, vmm_{&vmm} {}
    std::unique_ptr<GuestLink> open(GuestDoor door, GuestSettings settings, GuestLinkEvents events) override;

private:
    World* world_;
    EventLoop* loop_;
    const FakeVmm* vmm_;
};

/// One artifact, always there unless `missing`.
class FakeArtifacts final : public Artifacts {
public:
    FakeArtifacts(std::filesystem::path folder, std::string name, char digit);
    std::optional<Artifact> find(std::string_view name) const override;
    std::vector<Artifact> list() const override { return {artifact}; }
    std::filesystem::path draft(const std::string& name) const override { return artifact.folder / name; }
    std::vector<std::filesystem::path> drafts() const override { return {}; }
    Artifact adopt(const std::filesystem::path&, const std::function<bool(const Digest&)>&) override;
    void remove(const Digest&) override { missing = true; }
    void check(const Artifact&) const override;
    void restamp(const Digest&) override { damaged = false; }
    void mark_damaged(const Artifact&) override { damaged = true; }
    std::filesystem::path set_aside(const Digest&) override
    {
        missing = true;
        return artifact.folder / "aside";
    }

    std::optional<std::filesystem::path> set_aside_nameless(const Digest& digest) override { return set_aside(digest); }

    Artifact artifact;
    bool missing{false};
    bool damaged{false};
};

}  // namespace banger::agent::test
