// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <agent1_adaptor.hpp>
#include <map>
#include <memory>
#include <string>

#include "agent/service/agent.hpp"
#include "agent/service/artifact_objects.hpp"
#include "agent/service/operation_object.hpp"
#include "agent/service/vm_object.hpp"

namespace banger::agent {

/// dev.banger.Agent1.Manager, and the owner of all other objects on the bus.
class ManagerObject final : public sdbus::AdaptorInterfaces<dev::banger::Agent1::Manager_adaptor,
                                                            sdbus::Properties_adaptor, sdbus::ObjectManager_adaptor> {
public:
    static constexpr auto path = "/dev/banger/Agent1";

    /// `address`: of the bus, as Manager.Address gives it. `quit` ends the program soon.
    ManagerObject(sdbus::IConnection& connection, Agent& agent, std::string address, std::function<void()> quit);
    ~ManagerObject();
    /// Calls that came since this was last asked.
    std::uint64_t calls_since_asked() noexcept { return std::exchange(calls_, 0); }

private:
    using DoctorRows = std::vector<sdbus::Struct<std::string, std::string, std::string, std::string>>;
    using RuntimeRows =
        std::vector<sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string>>;

    using StatsRows = std::vector<sdbus::Struct<std::string, std::string, std::string, VmNumbers>>;

    std::vector<
        sdbus::Struct<std::string, std::string, std::string, std::string, std::uint32_t, std::uint32_t, std::uint64_t,
                      std::string, std::int64_t, std::string, std::string, std::string, std::string, bool, std::string>>
    ListVms(const std::map<std::string, std::string>& filter) override;
    void Stats(sdbus::Result<StatsRows>&& result, std::vector<std::string> names) override;
    sdbus::ObjectPath FindVm(const std::string& name) override;
    void CreateVm(sdbus::Result<sdbus::ObjectPath, sdbus::ObjectPath>&& result, VariantMap options) override;
    std::vector<sdbus::Struct<std::string, std::string, std::uint64_t, std::uint64_t, std::string, std::int64_t,
                              std::vector<std::string>>>
    ListImages() override;
    std::tuple<std::vector<sdbus::Struct<std::string, std::string, std::string>>, std::vector<std::string>> GetConfig(
        const Variables& environment) override;
    void ShareEnvironment(const Variables& environment) override;
    sdbus::ObjectPath FindImage(const std::string& name) override;
    // image_requests.cpp
    sdbus::ObjectPath BuildImage(const VariantMap& options) override;
    sdbus::ObjectPath RegisterImage(const std::string& file, const VariantMap& options) override;
    sdbus::ObjectPath PromoteVm(const std::string& vm, const VariantMap& options) override;
    ImageRecipe recipe_of(const Options& options, const Config& config) const;
    // image_pulling.cpp
    sdbus::ObjectPath PullImage(const VariantMap& options) override;
    sdbus::ObjectPath PruneImageCache(const VariantMap& options) override;
    // vm_transfer.cpp
    void ExportVm(sdbus::Result<sdbus::ObjectPath>&& result, std::string vm, VariantMap options,
                  sdbus::UnixFd archive) override;
    void ImportVm(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options, sdbus::UnixFd archive) override;
    static Task<std::tuple<sdbus::ObjectPath>> export_vm(ManagerObject* self, std::string vm, VariantMap map,
                                                         sdbus::UnixFd archive);
    static Task<std::tuple<sdbus::ObjectPath>> import_vm(ManagerObject* self, VariantMap map, sdbus::UnixFd archive);
    sdbus::ObjectPath StartMarked() override;  // autostart.cpp
    std::vector<
        sdbus::Struct<std::string, std::string, std::string, std::uint64_t, std::string, std::int64_t, std::uint32_t>>
    ListKernels() override;
    sdbus::ObjectPath FindKernel(const std::string& name) override;
    sdbus::ObjectPath ImportKernel(const VariantMap& options) override;
    RuntimeRows ListRuntime() override;
    void VerifyRuntime(sdbus::Result<RuntimeRows>&& result) override;
    sdbus::ObjectPath FetchRuntime(const std::string& from) override;
    sdbus::ObjectPath FetchBundle(const std::string& manifest) override;
    sdbus::ObjectPath PackageRuntime(const VariantMap& options) override;
    void Doctor(sdbus::Result<DoctorRows>&& result) override;
    void Quit() override;
    std::string Version() override { return BANGER_VERSION; }
    std::uint32_t Pid() override;
    std::string Address() override { return address_; }
    std::string LogPath() override { return agent_->paths().log().string(); }
    std::string StateDirectory() override { return agent_->paths().state.string(); }
    std::vector<std::string> Warnings() override { return agent_->warnings(); }

    static RuntimeRows rows_of(const std::vector<RuntimeProgram>& programs);
    static Task<std::tuple<RuntimeRows>> verified_rows(ManagerObject* self, std::string client);
    static Task<std::tuple<StatsRows>> stats_rows(Agent* agent, std::vector<VmPtr> vms);
    static ByteSize checked_pull_size(std::uint64_t bytes);
    // vm_creation.cpp
    using CreatedPaths = std::tuple<sdbus::ObjectPath, sdbus::ObjectPath>;
    static Task<CreatedPaths> create_vm(ManagerObject* self, VariantMap map, std::string client);
    static VmRequest request_of(const Options& options, const Config& config);
    static void apply_sandbox_wishes(VmRequest& request, const Options& options, const Config& config);
    static OperationPtr plan(Agent& agent, const VmSpec& spec);
    void sync_artifacts();
    void note_call();

    sdbus::IConnection* connection_;
    Agent* agent_;
    std::string address_;
    std::function<void()> quit_;
    std::uint64_t calls_{0};
    std::map<std::string, std::unique_ptr<VmObject>> vms_;  ///< by id
    std::map<std::uint64_t, std::unique_ptr<OperationObject>> operations_;
    std::map<std::string, std::unique_ptr<ImageObject>> images_;    ///< by path
    std::map<std::string, std::unique_ptr<KernelObject>> kernels_;  ///< by path
};

}  // namespace banger::agent
