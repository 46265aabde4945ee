// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "tests/fakes/broker_kernel.hpp"

namespace banger::broker::test {

inline std::string name_of(const SandboxKey& key) { return "banger-" + key.str(); }
/// The key in a name of ours; nullopt for a stranger's.
inline std::optional<SandboxKey> key_in(std::string_view name)
{
    constexpr std::string_view prefix = "banger-";
    try {
        return name.starts_with(prefix) ? std::optional{SandboxKey::parse(name.substr(prefix.size()))} : std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

/// The ports, each over the same state.
struct FakeKernel::Ports {
    static constexpr unsigned loop_major = 7;
    struct Mapper final : DeviceMapper {
        explicit Mapper(FakeKernel& of) : kernel{&of} {}
        struct New;
        std::unique_ptr<NewNode> create(const SandboxKey& key, ByteSize size, BlockDevice base,
                                        BlockDevice cow) override;
        std::optional<unsigned> open_count(const SandboxKey& key) override;
        Removal remove(const SandboxKey& key) override;
        std::optional<SnapshotStatus> status(const SandboxKey& key) override;
        std::optional<BlockDevice> cow_of(const SandboxKey& key) override;
        void suspend(const SandboxKey& key) override;
        void resume(const SandboxKey& key) override;
        std::vector<SandboxKey> list() override;
        Node& live(const SandboxKey& key);
        FakeKernel* kernel;
    };
    struct Loops final : LoopDevices {
        explicit Loops(FakeKernel& of) : kernel{&of} {}
        broker::Loop attach(int file, Access access, const std::string& mark) override;
        void refresh(BlockDevice device, int file) override;
        void sweep() override;
        FakeKernel* kernel;
    };
    struct Files final : CowFiles {
        explicit Files(FakeKernel& of) : kernel{&of} {}
        void create(const SandboxKey& key, ByteSize size) override;
        UniqueFd open(const SandboxKey& key) override;
        void grow(const SandboxKey& key, ByteSize size) override;
        ByteSize size(const SandboxKey& key) override;
        void clone(const SandboxKey& from, const SandboxKey& to) override;
        void remove(const SandboxKey& key) override;
        std::vector<SandboxKey> list() override;
        CowFile& at(const SandboxKey& key);
        void make(const SandboxKey& key, ByteSize size);
        FakeKernel* kernel;
    };
    struct TapLinks final : Taps {
        explicit TapLinks(FakeKernel& of) : kernel{&of} {}
        void create(const SandboxNetwork& network) override;
        void up(const SandboxNetwork& network) override;
        void down(const SandboxNetwork& network) noexcept override;
        Removal remove(const std::string& altname) override;
        std::vector<Taps::Tap> list() override;
        bool is_taken(const std::string& name) override;
        FakeKernel* kernel;
    };
    struct Rules final : Firewall {
        explicit Rules(FakeKernel& of) : kernel{&of} {}
        void add(const SandboxNetwork& network) override;
        void remove(const SandboxNetwork& network) override;
        void set_nat(const SandboxNetwork& network) override;
        void restore(const std::vector<SandboxNetwork>& networks) override;
        bool is_whole() override;
        void need_tap(const SandboxNetwork& network) const;
        void step(const char* name) const;
        FakeKernel* kernel;
    };
    struct Routes final : Forwarding {
        explicit Routes(FakeKernel& of) : kernel{&of} {}
        void follow() override;
        void release() override;
        FakeKernel* kernel;
    };
    struct Records final : RecordStore {
        explicit Records(FakeKernel& of) : kernel{&of} {}
        std::vector<Entry> load() override;
        void save(const SandboxKey& key, const std::string& text) override;
        void remove(const SandboxKey& key) override;
        FakeKernel* kernel;
    };
    struct People final : Users {
        explicit People(FakeKernel& of) : kernel{&of} {}
        std::optional<std::string> name_of(uid_t uid) override;
        FakeKernel* kernel;
    };

    explicit Ports(FakeKernel& kernel)
        : mapper{kernel},
          loops{kernel},
          files{kernel},
          taps{kernel},
          rules{kernel},
          routes{kernel},
          records{kernel},
          people{kernel}
    {
    }
    Mapper mapper;
    Loops loops;
    Files files;
    TapLinks taps;
    Rules rules;
    Routes routes;
    Records records;
    People people;
};

}  // namespace banger::broker::test
