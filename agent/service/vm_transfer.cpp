// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Agent that sends VMs out as archives and takes them in, and of ManagerObject that is asked to.
#include <fcntl.h>

#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/service/agent.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/image_key.hpp"
#include "agent/service/json_log.hpp"
#include "agent/service/manager_object.hpp"
#include "agent/service/operation_progress.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

/// Left free for what runs.
constexpr auto kept_free = 64 * mib;

enum class Direction { In, Out };

/// What a client hands over may be anything.
UniqueFd checked_stream(UniqueFd stream, Direction direction)
{
    const int flags = ::fcntl(stream.get(), F_GETFL);
    const int way = flags & O_ACCMODE;
    const bool fits = way == O_RDWR || way == (direction == Direction::In ? O_RDONLY : O_WRONLY);
    if (flags < 0 || (flags & O_PATH) != 0 || !fits) {
        throw Error{ErrorCode::InvalidArgument, std::string{"archive must be a descriptor that can be "} +
                                                    (direction == Direction::In ? "read" : "written")};
    }
    return stream;
}

}  // namespace

/// One that waited for a thread might be the other end of one that has it: `vm export -o - | vm import -`.
void Agent::check_transfers() const
{
    if (transfers_ >= most_transfers) {
        throw Error{ErrorCode::InUse, std::to_string(most_transfers) +
                                          " exports and imports of yours run already; wait for one, or end it"};
    }
}

OperationPtr Agent::add_transfer(const std::string& kind, const std::string& target, std::function<void()> ended)
{
    auto operation = operations_.add(kind, target);
    ++transfers_;
    operation->when_ended([this, ended = std::move(ended)] {
        --transfers_;
        ended();
    });
    return operation;
}

OperationPtr Agent::export_vm(VmPtr vm, UniqueFd output, ExportWish wish)
{
    const auto& spec = vm->record.spec;
    if (spec.on_stop == StopPolicy::Remove) {
        throw Error{ErrorCode::InvalidArgument,
                    vm->name() + " is deleted when it stops (--rm), and only a stopped VM can be exported"};
    }
    VmManager::check_lendable(vm, wish.stop);
    VmPacking packing{.contents = {.version = BANGER_VERSION, .spec = spec}, .files = {}, .form = wish.form};
    const auto image = ports_.images.find(spec.image_digest.str());
    if (image) {
        packing.contents.image_origin = image->origin;
    }
    if (const auto kernel = ports_.kernels.find(spec.kernel_digest.str())) {
        packing.contents.kernel_version = kernel->version;
    }
    if (wish.with_image && !image) {
        throw Error{ErrorCode::NotFound,
                    "the image of " + vm->name() + " is gone from the cache; without --with-image it isn't needed"};
    }
    check_transfers();
    std::function<void()> release = [] {};
    if (wish.with_image) {
        packing.files.push_back({.name = vm_archive_file::image,
                                 .place = image->folder / artifact_file::root_file_system,
                                 .digest = image->digest});
        release = hold(image->digest);
    }
    auto operation = add_transfer("export", vm->name(), std::move(release));
    const auto shared_output = std::make_shared<UniqueFd>(std::move(output));
    operations_.run(operation, export_now(std::move(vm), shared_output, std::move(packing), wish.stop, operation));
    return operation;
}

Task<void> Agent::export_now(VmPtr vm, std::shared_ptr<UniqueFd> output, VmPacking packing, StopFirst stop,
                             OperationPtr operation)
{
    RootUse use = [this, vm, output, packing, operation](std::filesystem::path disk) {
        return pack_vm(vm, output, packing, std::move(disk), operation);
    };
    const bool clean = co_await vms_->lend_root(vm, operation, stop, std::move(use));
    operation->result()["clean"] = clean;
}

/// The disks first, as they are what is wanted, then what may be left out.
Task<void> Agent::pack_vm(VmPtr vm, std::shared_ptr<UniqueFd> output, VmPacking packing, std::filesystem::path disk,
                          OperationPtr operation)
{
    packing.contents.spec = vm->record.spec;
    std::vector<VmPacking::File> files{
        {.name = vm_archive_file::root_disk, .place = std::move(disk)},
        {.name = vm_archive_file::work_disk, .place = vm->folder / vm_folder::work_disk}};
    files.insert(files.end(), packing.files.begin(), packing.files.end());
    packing.files = std::move(files);
    const auto progress = progress_with_fraction<RuntimeProgress>(ports_.loop, operation);
    auto pack = [&archives = ports_.archives, packing, output, progress, fresh = vm->folder / vm_folder::fresh] {
        auto whole = packing;
        whole.contents.fresh = std::filesystem::exists(fresh);
        return archives.pack(std::move(whole), *output, progress);
    };
    const auto packed = co_await run_on(ports_.loop, transfer_lane_, std::move(pack));
    operation->result()["sha256"] = packed.sha256.str();
    operation->result()["size"] = packed.size;
}

OperationPtr Agent::import_vm(UniqueFd input, ImportWish wish)
{
    check_transfers();
    auto operation = add_transfer("import", wish.request.name.value_or("archive"), [] {});
    const auto shared_input = std::make_shared<UniqueFd>(std::move(input));
    operations_.run(operation, import_now(shared_input, std::move(wish), operation));
    return operation;
}

Task<void> Agent::import_now(std::shared_ptr<UniqueFd> input, ImportWish wish, OperationPtr operation)
{
    operation->set_stage("reading the description");
    const auto progress = progress_with_fraction<RuntimeProgress>(ports_.loop, operation);
    auto open = [&archives = ports_.archives, input, progress] {
        return std::shared_ptr<OpenedVmArchive>{archives.open(std::move(*input), progress)};
    };
    const auto archive = co_await run_on(ports_.loop, transfer_lane_, std::move(open));
    operation->check_cancelled();
    const auto& contents = archive->contents();
    auto spec = vms_->check_import(contents.spec, wish.request);
    const bool other_kernel = spec.kernel_digest != contents.spec.kernel_digest;
    const auto image = wish.with_image ? image_to_take(contents) : std::nullopt;
    check_room(contents, image.has_value());
    Rollback unlock;
    Rollback no_draft;
    if (image) {
        lock_name(image_key(image->name));
        unlock.add([this, key = image_key(image->name)] { being_made_.erase(key); });
        no_draft.add([this, draft = image->draft] { discard_later(draft); });
    }
    const auto vm = vms_->reserve(std::move(spec), {});
    FillFolder fill = [this, archive, image, wish, operation](std::filesystem::path folder) {
        return unpack_vm(archive, {.folder = std::move(folder), .image = image}, wish, operation);
    };
    co_await vms_->take_in(vm, operation, std::move(fill));
    const auto adopted = image ? adopt_image(*image) : std::string{};
    if (!adopted.empty()) {
        no_draft.commit();
    }
    operation->result()["image"] = adopted;
    operation->result()["kernel"] = vm->record.spec.kernel;
    operation->result()["other_kernel"] = other_kernel;
}

/// By its own name, unless that is somebody's: what comes in takes nothing away, and is not what new VMs are made of unless they ask for it. One that is
/// damaged here is mended, under the name that it has. nullopt: it is here already.
std::optional<VmUnpacking::Image> Agent::image_to_take(const VmArchiveContents& contents) const
{
    const auto& digest = contents.spec.image_digest;
    if (contents.find(vm_archive_file::image) == nullptr) {
        throw Error{ErrorCode::NotFound, "there is no image in the archive; banger vm export --with-image puts it in"};
    }
    const auto present = ports_.images.find(digest.str());
    if (present && is_unharmed(ports_.images, *present)) {
        return std::nullopt;
    }
    const auto& own = contents.spec.image;
    const bool is_free = !own.empty() && own != ports_.settings.now()->default_image && !ports_.images.find(own);
    constexpr std::size_t longest_stem = 48;
    const auto name = present && !present->name.empty() ? present->name
                      : is_free                         ? own
                                : (own.empty() ? "image" : own.substr(0, longest_stem)) + "-" + digest.brief();
    return VmUnpacking::Image{.name = ArtifactName::parse(name).str(), .draft = ports_.images.draft("import-" + name)};
}

/// Before the first byte of a disk: who is told after half an hour has waited for nothing.
void Agent::check_room(const VmArchiveContents& contents, bool with_image) const
{
    const auto* image = contents.find(vm_archive_file::image);
    const auto left_out = image != nullptr && !with_image ? image->data : 0;
    const ByteSize needed{contents.data() - left_out};
    const ByteSize free{ports_.disks.free_bytes(paths_.state)};
    if (needed.bytes() + kept_free.bytes() > free.bytes()) {
        throw Error{ErrorCode::NoSpace, "the archive's disks come to " + needed.to_string() + ", and " +
                                            free.to_string() + " is free in " + paths_.state.string() +
                                            "; banger vm delete makes room"};
    }
}

Task<void> Agent::unpack_vm(std::shared_ptr<OpenedVmArchive> archive, VmUnpacking where, ImportWish wish,
                            OperationPtr operation)
{
    operation->set_stage("unpacking");
    auto unpack = [archive, where, wish] {
        auto sha256 = archive->unpack(where);
        if (wish.sha256 && *wish.sha256 != sha256) {
            throw Error{ErrorCode::CorruptData,
                        "the archive has the sha256 " + sha256.str() + " and not " + wish.sha256->str()};
        }
        if (archive->contents().fresh || wish.identity == GuestIdentity::New) {
            put_mark(where.folder, vm_folder::fresh);
        }
        return sha256;
    };
    const auto sha256 = co_await run_on(ports_.loop, transfer_lane_, std::move(unpack));
    operation->result()["sha256"] = sha256.str();
}

/// The VM is there by then, and needs no image: what goes wrong is told in the log.
std::string Agent::adopt_image(const VmUnpacking::Image& image)
{
    try {
        const auto adopted = ports_.images.adopt(image.draft, [](const Digest&) { return true; });
        if (artifacts_changed_) {
            artifacts_changed_();
        }
        return adopted.name;
    } catch (const Error& problem) {
        json_log::write(json_log::Level::Warn, std::string{"the image of an archive stays out: "} + problem.what());
        return "";
    }
}

void ManagerObject::ExportVm(sdbus::Result<sdbus::ObjectPath>&& result, std::string vm, VariantMap options,
                             sdbus::UnixFd archive)
{
    note_call();
    reply("ExportVm", std::move(result), export_vm(this, std::move(vm), std::move(options), std::move(archive)));
}

Task<std::tuple<sdbus::ObjectPath>> ManagerObject::export_vm(ManagerObject* self, std::string vm, VariantMap map,
                                                             sdbus::UnixFd archive)
{
    const Options options{map, {"stop", "with_image", "plain"}};
    auto output = checked_stream(bus::take_fd(std::move(archive)), Direction::Out);
    const ExportWish wish{.stop = options.get<bool>("stop", false) ? StopFirst::Yes : StopFirst::No,
                          .with_image = options.get<bool>("with_image", false),
                          .form = options.get<bool>("plain", false) ? VmPacking::Form::Plain : VmPacking::Form::Packed};
    const auto operation = self->agent_->export_vm(self->agent_->vms().get(vm), std::move(output), wish);
    co_return std::tuple{OperationObject::path_of(operation->id())};
}

void ManagerObject::ImportVm(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options, sdbus::UnixFd archive)
{
    note_call();
    reply("ImportVm", std::move(result), import_vm(this, std::move(options), std::move(archive)));
}

Task<std::tuple<sdbus::ObjectPath>> ManagerObject::import_vm(ManagerObject* self, VariantMap map, sdbus::UnixFd archive)
{
    const Options options{
        map, {"name", "kernel", "sha256", "with_image", "new_identity", "allow_host_loopback", "environment"}};
    auto input = checked_stream(bus::take_fd(std::move(archive)), Direction::In);
    const auto config = self->agent_->settings().for_request(options.get<Variables>("environment", {}));
    ImportWish wish{.request = {.name = options.get<std::string>("name"),
                                .kernel = options.get<std::string>("kernel"),
                                .usual_kernel = config.default_kernel,
                                .loopback = options.get<bool>("allow_host_loopback", false) ? LoopbackPolicy::Allowed
                                                                                            : LoopbackPolicy::Shielded},
                    .sha256 = {},
                    .with_image = options.get<bool>("with_image", false),
                    .identity = options.get<bool>("new_identity", false) ? GuestIdentity::New : GuestIdentity::Kept};
    if (const auto sha256 = options.get<std::string>("sha256")) {
        wish.sha256 = Digest::parse(*sha256);
    }
    if (wish.request.name) {
        VmName::parse(*wish.request.name);  // now, and not when half of it has come
    }
    const auto operation = self->agent_->import_vm(std::move(input), std::move(wish));
    co_return std::tuple{OperationObject::path_of(operation->id())};
}

}  // namespace banger::agent
