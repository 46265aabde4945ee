// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <agent1_adaptor.hpp>

#include "agent/service/agent.hpp"
#include "agent/service/options.hpp"

namespace banger::agent {

/// dev.banger.Agent1.Vm for one VM.
class VmObject final : public sdbus::AdaptorInterfaces<dev::banger::Agent1::Vm_adaptor, sdbus::Properties_adaptor,
                                                       sdbus::ManagedObject_adaptor> {
public:
    static sdbus::ObjectPath path_of(const VmId& id);
    VmObject(sdbus::IConnection& connection, Agent& agent, VmPtr vm);
    ~VmObject();
    void changed();

private:
    using ByteList = std::vector<std::uint8_t>;
    template <typename... T>
    using Result = sdbus::Result<T...>;
    using Fd = sdbus::UnixFd;

    sdbus::ObjectPath Start(const std::uint32_t& ready_timeout_s) override;
    sdbus::ObjectPath Stop(const std::uint32_t& timeout_ms) override;
    sdbus::ObjectPath Restart(const std::uint32_t& timeout_ms) override;
    sdbus::ObjectPath Set(const VariantMap& map) override;
    void Kill(const std::int32_t& signal) override;
    sdbus::ObjectPath Delete(const bool& force) override;
    void Exec(Result<Fd, Fd, Fd, Fd>&& result, std::vector<ByteList> argv, std::vector<ByteList> env, ByteList cwd,
              std::string user, std::uint32_t flags, std::uint16_t rows, std::uint16_t columns) override;
    void Connect(Result<Fd>&& result, std::string host, std::uint16_t port) override;
    void Forward(Result<std::uint16_t>&& result, std::string address, std::uint16_t port,
                 std::uint16_t guest_port) override;
    void EndForward(Result<>&& result, std::string address, std::uint16_t port) override;
    std::vector<sdbus::Struct<std::string, std::uint16_t, std::uint16_t>> ListForwards() override;
    void CopyIn(Result<Fd, Fd>&& result, ByteList directory) override;
    void CopyOut(Result<Fd, Fd>&& result, ByteList path) override;
    void Query(Result<std::string>&& result, std::string what, ByteList argument) override;
    std::tuple<Fd, std::string> OpenLog(const std::string& which) override;
    void SshConfig(Result<std::vector<sdbus::Struct<std::string, std::string>>>&& result) override;
    std::string Id() override { return vm_->record.id.str(); }
    std::string Name() override { return vm_->name(); }
    std::string State() override { return std::string{to_string(vm_->record.state)}; }
    bool Ready() override { return vm_->ready(); }
    VariantMap Details() override;

    sdbus::ObjectPath run(const char* kind, std::function<Task<void>(const OperationPtr&)> work);

    Agent* agent_;
    VmPtr vm_;
};

}  // namespace banger::agent
