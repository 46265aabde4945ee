// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/manager_object.hpp"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>

#include "agent/service/client_watch.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/doctor.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

template <typename Object, typename Map>
void sync_objects(Map& objects, const std::vector<Artifact>& artifacts,
                  const std::function<std::unique_ptr<Object>(const Artifact&)>& make)
{
    Map fresh;
    for (const auto& artifact : artifacts) {
        const std::string key = Object::path_of(artifact) + "@" + artifact.digest.str();
        auto at = objects.find(key);
        if (at != objects.end()) {
            fresh.insert(objects.extract(at));
        }
    }
    objects.clear();  // before new ones are made: a path may pass from one digest to another
    for (const auto& artifact : artifacts) {
        const std::string key = Object::path_of(artifact) + "@" + artifact.digest.str();
        if (!fresh.contains(key)) {
            fresh.emplace(key, make(artifact));
        }
    }
    objects = std::move(fresh);
}

/// To the objects of the artifact that a VM which came or went uses; their keys are those of sync_objects().
template <typename Map>
void tell_users_changed(Map& objects, const Digest& digest)
{
    for (auto& [key, object] : objects) {
        if (key.ends_with("@" + digest.str())) {
            object->users_changed();
        }
    }
}

const Artifact& found(const std::optional<Artifact>& artifact, const std::string& what, const std::string& name)
{
    if (!artifact) {
        throw Error{ErrorCode::NotFound,
                    "there is no " + what + " \"" + shown(name) + "\"; banger " + what + " list shows what there is"};
    }
    return *artifact;
}

std::filesystem::path absolute_path(const std::string& key, const std::string& text)
{
    if (!text.empty() && text.front() != '/') {
        throw Error{ErrorCode::InvalidArgument, key + " must be an absolute path"};
    }
    return text;
}

std::string word_of(RuntimeState state)
{
    switch (state) {
        case RuntimeState::Ok:
            return "ok";
        case RuntimeState::Missing:
            return "missing";
        case RuntimeState::Unchecked:
            return "unchecked";
        case RuntimeState::Damaged:
            break;
    }
    return "damaged";
}

}  // namespace

ManagerObject::ManagerObject(sdbus::IConnection& connection, Agent& agent, std::string address,
                             std::function<void()> quit)
    : AdaptorInterfaces{connection, sdbus::ObjectPath{path}},
      connection_{&connection},
      agent_{&agent},
      address_{std::move(address)},
      quit_{std::move(quit)}
{
    registerAdaptor();
    const auto tell_users = [this](const VmPtr& vm) {
        tell_users_changed(images_, vm->record.spec.image_digest);
        tell_users_changed(kernels_, vm->record.spec.kernel_digest);
    };
    const auto add_vm = [this, tell_users](const VmPtr& vm) {
        vms_.emplace(vm->record.id.str(), std::make_unique<VmObject>(*connection_, *agent_, vm));
        tell_users(vm);
    };
    for (const auto& vm : agent.vms().list()) {
        add_vm(vm);
    }
    agent.observe({.added = add_vm,
                   .changed =
                       [this](const VmPtr& vm) {
                           if (const auto at = vms_.find(vm->record.id.str()); at != vms_.end()) {
                               at->second->changed();
                           }
                       },
                   .removed =
                       [this, tell_users](const VmPtr& vm) {
                           vms_.erase(vm->record.id.str());
                           tell_users(vm);
                       },
                   .log = {}});
    agent.operations().observe(
        [this](const OperationPtr& operation) {
            operations_.emplace(operation->id(), std::make_unique<OperationObject>(*connection_, operation));
        },
        [this](std::uint64_t id) { operations_.erase(id); });
    agent.on_artifacts_changed([this] { sync_artifacts(); });
    sync_artifacts();
}

/// A call of anybody's sees the settings as the file has them by now.
void ManagerObject::note_call()
{
    ++calls_;
    agent_->look_at_settings();
}

ManagerObject::~ManagerObject()
{
    agent_->observe({});
    agent_->operations().observe({}, {});
    agent_->on_artifacts_changed({});
    unregisterAdaptor();
}

void ManagerObject::sync_artifacts()
{
    // Later, not now: the object that deleted its artifact is still answering.
    const auto later = [this] { agent_->loop().post([this] { sync_artifacts(); }); };
    sync_objects<ImageObject>(images_, agent_->images().list(), [&](const Artifact& image) {
        return std::make_unique<ImageObject>(*connection_, *agent_, image, later);
    });
    sync_objects<KernelObject>(kernels_, agent_->kernels().list(), [&](const Artifact& kernel) {
        return std::make_unique<KernelObject>(*connection_, *agent_, kernel, later);
    });
}

std::vector<
    sdbus::Struct<std::string, std::string, std::string, std::string, std::uint32_t, std::uint32_t, std::uint64_t,
                  std::string, std::int64_t, std::string, std::string, std::string, std::string, bool, std::string>>
ManagerObject::ListVms(const std::map<std::string, std::string>& filter)
{
    note_call();
    return answer("ListVms", [&] {
        decltype(ListVms(filter)) rows;
        for (const auto& [key, value] : filter) {
            if (key != "state" && key != "name") {
                throw banger::Error{ErrorCode::InvalidArgument,
                                    "VMs are filtered by state or name, not by " + shown(key)};
            }
            if (key == "state" && !vm_state_of(value)) {
                throw banger::Error{ErrorCode::InvalidArgument, "there is no state " + shown(value)};
            }
        }
        const auto state = filter.find("state");
        const auto name = filter.find("name");
        const auto vms = agent_->vms().list();
        rows.reserve(vms.size());
        for (const auto& vm : vms) {
            const auto& record = vm->record;
            const bool wanted = (state == filter.end() || state->second == to_string(record.state)) &&
                                (name == filter.end() || ::fnmatch(name->second.c_str(), vm->name().c_str(), 0) == 0);
            if (wanted) {
                rows.emplace_back(record.id.str(), vm->name(), std::string{to_string(record.state)}, record.spec.image,
                                  record.spec.vcpus, record.spec.memory_mib, record.spec.disk.bytes(), record.address,
                                  record.created, record.vmm, to_utf8(record.reason),
                                  std::string{to_string(record.spec.storage)}, record.network,
                                  record.spec.nat == Nat::On, warning_of(*vm));
            }
        }
        return rows;
    });
}

Task<std::tuple<ManagerObject::StatsRows>> ManagerObject::stats_rows(Agent* agent, std::vector<VmPtr> vms)
{
    auto numbers = co_await agent->statistics().of(vms);
    StatsRows rows;
    for (std::size_t i = 0; i < vms.size(); ++i) {
        const auto& record = vms[i]->record;
        rows.emplace_back(record.id.str(), vms[i]->name(), std::string{to_string(record.state)}, std::move(numbers[i]));
    }
    co_return std::tuple{std::move(rows)};
}

void ManagerObject::Stats(sdbus::Result<StatsRows>&& result, std::vector<std::string> names)
{
    ++calls_;  // comes every two seconds from who watches, and nothing of it is a setting
    try {
        std::vector<VmPtr> vms;
        for (const auto& name : names) {
            vms.push_back(agent_->vms().get(name));
        }
        if (names.empty()) {
            vms = agent_->vms().list();
            std::erase_if(vms, [](const VmPtr& vm) { return !vm->running; });
        }
        reply("Stats", std::move(result), stats_rows(agent_, std::move(vms)));
    } catch (const banger::Error& error) {
        result.returnError(bus::to_bus_error(error));
    }
}

sdbus::ObjectPath ManagerObject::FindVm(const std::string& name)
{
    note_call();
    return answer("FindVm", [&] { return VmObject::path_of(agent_->vms().get(name)->record.id); });
}

std::vector<sdbus::Struct<std::string, std::string, std::uint64_t, std::uint64_t, std::string, std::int64_t,
                          std::vector<std::string>>>
ManagerObject::ListImages()
{
    note_call();
    return answer("ListImages", [&] {
        // One walk over the VMs for all images, however many there are of both.
        std::map<std::string, std::vector<std::string>> users;
        for (const auto& vm : agent_->vms().list()) {
            users[vm->record.spec.image_digest.str()].push_back(vm->name());
        }
        decltype(ListImages()) rows;
        for (const auto& image : agent_->images().list()) {
            rows.emplace_back(image.name, image.digest.str(), image.size, image.used, to_utf8(image.origin),
                              image.created, users[image.digest.str()]);
        }
        return rows;
    });
}

sdbus::ObjectPath ManagerObject::FindImage(const std::string& name)
{
    note_call();
    return answer("FindImage", [&] {
        auto object = ImageObject::path_of(found(agent_->images().find(name), "image", name));
        sync_artifacts();  // it may have come from another bangerd that shares the cache
        return object;
    });
}

std::vector<
    sdbus::Struct<std::string, std::string, std::string, std::uint64_t, std::string, std::int64_t, std::uint32_t>>
ManagerObject::ListKernels()
{
    note_call();
    return answer("ListKernels", [&] {
        auto kernels = agent_->kernels().list();
        std::stable_sort(kernels.begin(), kernels.end(),
                         [](const Artifact& a, const Artifact& b) { return a.created > b.created; });
        decltype(ListKernels()) rows;
        for (const auto& kernel : kernels) {
            rows.emplace_back(kernel.name, kernel.digest.str(), kernel.version, kernel.used, kernel.origin,
                              kernel.created,
                              static_cast<std::uint32_t>(agent_->users_of_kernel(kernel.digest).size()));
        }
        return rows;
    });
}

std::tuple<std::vector<sdbus::Struct<std::string, std::string, std::string>>, std::vector<std::string>>
ManagerObject::GetConfig(const Variables& environment)
{
    note_call();
    return answer("GetConfig", [&] {
        auto report = agent_->settings().report(environment);
        decltype(GetConfig({})) told;
        for (auto& row : report.values) {
            std::get<0>(told).emplace_back(std::move(row.key), std::move(row.value), std::move(row.origin));
        }
        std::get<1>(told) = std::move(report.problems);
        return told;
    });
}

void ManagerObject::ShareEnvironment(const Variables& environment)
{
    note_call();
    answer("ShareEnvironment", [&] { agent_->share_environment(environment); });
}

sdbus::ObjectPath ManagerObject::FindKernel(const std::string& name)
{
    note_call();
    return answer("FindKernel", [&] {
        auto object = KernelObject::path_of(found(agent_->kernels().find(name), "kernel", name));
        sync_artifacts();
        return object;
    });
}

ManagerObject::RuntimeRows ManagerObject::rows_of(const std::vector<RuntimeProgram>& programs)
{
    RuntimeRows rows;
    for (const auto& program : programs) {
        rows.emplace_back(program.name, program.version, to_utf8(program.path.string()), word_of(program.state),
                          to_utf8(program.origin), to_utf8(program.problem));
    }
    return rows;
}

ManagerObject::RuntimeRows ManagerObject::ListRuntime()
{
    note_call();
    return answer("ListRuntime", [&] { return rows_of(agent_->programs().list()); });
}

Task<std::tuple<ManagerObject::RuntimeRows>> ManagerObject::verified_rows(ManagerObject* self, std::string client)
{
    const ClientWatch watch{*self->connection_, client};
    const auto programs = co_await self->agent_->verify_runtime(watch.token());
    co_return std::tuple{rows_of(programs)};
}

void ManagerObject::VerifyRuntime(sdbus::Result<RuntimeRows>&& result)
{
    note_call();
    reply("VerifyRuntime", std::move(result), verified_rows(this, bus::sender_of(getObject())));
}

sdbus::ObjectPath ManagerObject::FetchRuntime(const std::string& from)
{
    note_call();
    return answer("FetchRuntime",
                  [&] { return OperationObject::path_of(agent_->fetch_runtime(absolute_path("from", from))->id()); });
}

sdbus::ObjectPath ManagerObject::FetchBundle(const std::string& manifest)
{
    note_call();
    return answer("FetchBundle", [&] {
        if (manifest.empty()) {
            throw banger::Error{ErrorCode::InvalidArgument, "manifest must be an absolute path"};
        }
        return OperationObject::path_of(agent_->fetch_bundle(absolute_path("manifest", manifest))->id());
    });
}

sdbus::ObjectPath ManagerObject::PackageRuntime(const VariantMap& map)
{
    note_call();
    return answer("PackageRuntime", [&] {
        const Options options{map, {"output", "image", "docker_image", "kernel", "modified"}};
        const auto output = options.get<std::string>("output", "");
        if (output.empty()) {
            throw banger::Error{ErrorCode::InvalidArgument, "output must be an absolute path"};
        }
        const auto modified = options.get<std::int64_t>("modified", 0);
        constexpr std::int64_t latest = 0xffff'ffff;  // what every reader of a tar takes
        if (modified < 0 || modified > latest) {
            throw banger::Error{ErrorCode::InvalidArgument,
                                "modified must be 0 to 4294967295 seconds since 1970, not " + std::to_string(modified)};
        }
        const auto operation = agent_->package_runtime({.output = absolute_path("output", output),
                                                        .image = options.get<std::string>("image", ""),
                                                        .docker_image = options.get<std::string>("docker_image", ""),
                                                        .kernel = options.get<std::string>("kernel", ""),
                                                        .modified = modified});
        return OperationObject::path_of(operation->id());
    });
}

void ManagerObject::Doctor(sdbus::Result<DoctorRows>&& result)
{
    note_call();
    reply("Doctor", std::move(result), examine_host(agent_));
}

void ManagerObject::Quit()
{
    answer("Quit", [&] { quit_(); });
}

std::uint32_t ManagerObject::Pid() { return static_cast<std::uint32_t>(::getpid()); }

}  // namespace banger::agent
