// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <broker1_adaptor.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/core/sandboxes.hpp"
#include "broker/ports/files.hpp"
#include "broker/ports/names.hpp"
#include "broker/service/gate.hpp"
#include "common/event_loop.hpp"
#include "common/lane.hpp"

namespace banger::broker {

/// dev.banger.Broker1 on the bus. A handler names itself, moves its arguments in and gives a value; the rest is the gate's. Loop thread; what
/// the handlers' jobs do to sandboxes is the lane's.
class BrokerObject final : public sdbus::AdaptorInterfaces<dev::banger::Broker1_adaptor> {
public:
    struct Parts {
        EventLoop& loop;
        Lane& lane;    ///< one thread: the journal's order is the kernel's
        Lane& copies;  ///< for whole files, which take long
        Gate& gate;
        Sandboxes& sandboxes;
        CowFiles& files;
        NameRouting& names;
        std::function<OpeningFacts(int)> opening_facts;
        std::function<FileFacts(int)> file_facts;
        std::function<SocketFacts(int)> socket_facts;
    };
    static constexpr auto path = "/dev/banger/Broker1";

    BrokerObject(sdbus::IConnection& connection, Parts parts);
    ~BrokerObject();

    /// Tells the owner's connections, and nobody else's.
    void tell_owner(const SandboxView& view);

private:
    using Ids = std::vector<std::uint8_t>;
    void CreateSandbox(sdbus::Result<>&& result, std::string id, Ids base_digest, std::uint64_t cow_bytes,
                       std::uint32_t flags) override;
    void StartSandbox(
        sdbus::Result<std::string, std::string, std::string, std::string, std::uint32_t, std::string>&& result,
        std::string id, std::vector<sdbus::UnixFd> base, Ids base_digest, std::uint32_t flags) override;
    void StopSandbox(sdbus::Result<>&& result, std::string id) override;
    void GrowSandbox(sdbus::Result<>&& result, std::string id, std::uint64_t cow_bytes) override;
    void CloneSandbox(sdbus::Result<>&& result, std::string id, std::string new_id) override;
    void SetNat(sdbus::Result<>&& result, std::string id, bool enabled, std::uint32_t flags) override;
    void PublishName(sdbus::Result<>&& result, std::string id, std::string name, sdbus::UnixFd server) override;
    void WithdrawName(sdbus::Result<>&& result, std::string id) override;
    void DestroySandbox(sdbus::Result<>&& result, std::string id) override;
    using ListRow = sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string, bool,
                                  std::string, std::uint64_t, std::uint64_t, std::uint64_t>;
    void List(sdbus::Result<std::vector<ListRow>>&& result) override;
    using AdminRow = sdbus::Struct<std::uint32_t, std::string, std::string, std::string, std::uint64_t, std::uint64_t>;
    void AdminList(sdbus::Result<std::vector<AdminRow>>&& result, std::uint32_t flags) override;
    void AdminDestroy(sdbus::Result<>&& result, std::uint32_t uid, std::string id, std::uint32_t flags) override;

    /// How a call is named in the gate and in the log.
    struct Words {
        Method method;
        std::string object{};
        std::uint32_t flags{0};
        std::uint32_t more_flags{0};
        std::size_t more_bytes{0};
    };
    template <typename... Values, typename Job>
    void on_lane(Words words, sdbus::Result<Values...>&& result, Job job);
    template <typename Begin>
    void in_steps(Words words, sdbus::Result<>&& result, Begin begin);
    template <typename Job, typename Then>
    void lane_then(Lane& lane, Job job, Then then);
    void route_name(const SandboxKey& key, const std::string& name, std::uint16_t port, const SandboxNetwork& network,
                    const Gate::Done& done);
    void copy_clone(const SandboxKey& from, const SandboxKey& to, const Gate::Done& done);
    void know(const Caller& caller);
    void remember(const Caller& caller);

    Parts parts_;
    std::map<uid_t, std::vector<std::string>> listeners_;  ///< unique names, newest last
};

}  // namespace banger::broker
