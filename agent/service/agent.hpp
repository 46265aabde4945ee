// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/core/config.hpp"
#include "agent/core/image/cache_users.hpp"
#include "agent/core/operation.hpp"
#include "agent/core/settings.hpp"
#include "agent/core/vm/power_care.hpp"
#include "agent/core/vm/stale_watch.hpp"
#include "agent/core/vm/vm_manager.hpp"
#include "agent/core/vm/vm_statistics.hpp"
#include "agent/ports/artifact_maker.hpp"
#include "agent/ports/home_files.hpp"
#include "agent/ports/host_examiner.hpp"
#include "agent/ports/image_puller.hpp"
#include "agent/ports/runtime.hpp"
#include "agent/ports/runtime_bundles.hpp"
#include "agent/ports/user_key.hpp"
#include "agent/ports/vm_archives.hpp"
#include "common/paths.hpp"

namespace banger::agent {

/// The world around bangerd, wired in main.cpp. All outlive the Agent.
struct AgentPorts {
    EventLoop& loop;
    VmStore& store;
    ProcessHost& processes;
    VmDisks& disks;
    GuestLinks& links;
    NetworkDriver& user_network;
    Broker& broker;
    HostPower& power;
    HostNames& host_names;
    Artifacts& images;
    Artifacts& kernels;
    VmmLadder& ladder;
    ArtifactMaker& maker;
    ImagePuller& puller;
    RuntimePrograms& programs;
    RuntimeBundles& bundles;
    VmArchives& archives;
    UserKey& key;
    HostExaminer& host;
    Settings& settings;
    HomeFiles& home;
    /// What a program of the user's prints as a name. Worker thread. Throws HostLacks, Failed, TimedOut once `late` is asked for.
    std::function<std::string(const std::filesystem::path& program, const std::stop_token& late)> print_name;
    /// As in ports/process_host.hpp.
    std::function<UniqueFd(const ProcessId&)> open_process;
    std::function<void(const UniqueFd&, int signal)> send_signal;
    OpenTcpPort open_tcp_port;
    VmStatistics::UsageOf usage_of;                       ///< as process_usage()
    std::function<std::vector<std::string>()> resolvers;  ///< as in VmPorts
    /// Ends when the host has a way out, when `over` is set, and after `limit`.
    std::function<Task<void>(EventLoop::Milliseconds limit, Promise<Unit> over)> wait_for_route;
};

/// How the database was found at the start.
struct StoreFindings {
    /// It was damaged: VMs are to be found again from their folders, and this is what the user is told. Empty: all is well.
    std::string warning;
};

enum class Remake { Never, Always };
/// Whether a VM that goes with its client is kept where its promotion is refused.
enum class WhenRefused { Leave, KeepVm };
/// What a prune leaves in the cache of blobs.
enum class CachedBlobs { OfImages, None };

/// What `runtime package` shall make. Names that are empty: the usual ones, where they are there.
struct PackageWish {
    std::filesystem::path output;
    std::string image;
    std::string docker_image;
    std::string kernel;
    std::int64_t modified{0};  ///< seconds since 1970
};

/// How a VM is to leave.
struct ExportWish {
    StopFirst stop{StopFirst::No};
    bool with_image{false};  ///< for new VMs on the other side; the VM itself needs none
    VmPacking::Form form{VmPacking::Form::Packed};
};

/// Machine id and host keys of a guest that comes in: as they were, or made anew with its next boot, as those of a new VM.
enum class GuestIdentity { Kept, New };

struct ImportWish {
    ImportRequest request;
    std::optional<Digest> sha256{};  ///< that the archive must have
    bool with_image{false};
    GuestIdentity identity{GuestIdentity::Kept};
};

/// All of bangerd but the bus: the parts, wired, and the work that needs several of them. Loop thread.
class Agent {
public:
    Agent(AgentPorts ports, Paths paths, StoreFindings findings);
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    /// Takes over what runs, and clears up what a killed bangerd left. Once, before serving.
    Task<void> recover();

    EventLoop& loop() noexcept { return ports_.loop; }
    const Paths& paths() const noexcept { return paths_; }
    VmManager& vms() noexcept { return *vms_; }
    VmStatistics& statistics() noexcept { return statistics_; }
    Operations& operations() noexcept { return operations_; }
    Artifacts& images() noexcept { return ports_.images; }
    Artifacts& kernels() noexcept { return ports_.kernels; }
    const VmDisks& disks() const noexcept { return ports_.disks; }
    HostExaminer& host() noexcept { return ports_.host; }
    const RuntimePrograms& programs() const noexcept { return ports_.programs; }
    const std::vector<std::string>& warnings() const noexcept { return warnings_; }
    Settings& settings() noexcept { return ports_.settings; }
    const Settings& settings() const noexcept { return ports_.settings; }
    /// A client's environment: the variables that hold for all of bangerd. Throws as Settings::share() and check_same_folders().
    void share_environment(const Variables& caller);
    /// For a bangerd that is about to end: asks all work on other threads to end, too.
    void end_work();
    /// Told when a client brought variables that were taken.
    void on_environment_changed(std::function<void()> call) { environment_changed_ = std::move(call); }
    /// The file may have changed; a new one with a mistake changes nothing.
    void look_at_settings();
    /// Begins to stop what runs, each in order. `why` is for the log.
    void stop_all(const std::string& why);
    /// A name for a VM from namegen_path that no VM has. Throws InvalidArgument (no name), AlreadyExists, HostLacks, Failed, TimedOut.
    Task<std::string> ask_for_name(std::filesystem::path program);

    /// The user's files for a new guest; to be read before one is made, as what is wrong with them is wrong already. Throws as HomeFiles.
    Task<HomeFilesFound> read_home_files(std::vector<FileSync> syncs);

    /// Who watches VMs come, change and go; may be set once the bus is there.
    void observe(VmObserver observer) { observer_ = std::move(observer); }
    /// As observe(), told after that one: the desktop.
    void observe_too(VmObserver observer) { second_observer_ = std::move(observer); }
    /// Told as an operation begins to run, and when it has ended.
    void on_operation(std::function<void(const Operation&)> told) { operation_told_ = std::move(told); }
    /// Told after an image or a kernel came or went by an operation.
    void on_artifacts_changed(std::function<void()> call) { artifacts_changed_ = std::move(call); }
    std::vector<std::string> users_of_image(const Digest& digest) const;
    std::vector<std::string> users_of_kernel(const Digest& digest) const;

    /// Operations: they end when the artifact is in the catalog, at once when it is there already and `remake` is Never. One of the same name that was
    /// made in the same way of other things is replaced; any other fails with AlreadyExists, unless `remake` is Always.
    /// Throw InUse (one of that name is being made).
    OperationPtr build_image(ImageRecipe recipe, Remake remake);
    OperationPtr import_kernel(KernelRecipe recipe, Remake remake);
    /// One that Artifacts::check() refuses is made or taken in again.
    static bool is_unharmed(const Artifacts& catalog, const Artifact& artifact);
    // image_keeping.cpp
    OperationPtr register_image(DiskSource source, Remake remake);
    /// Of the root disk of a VM. Throws also AlreadyExists (both are the operation's where the VM is to be kept) and as VmManager::check_lendable().
    OperationPtr promote_vm(VmPtr vm, const std::string& name, Remake remake, StopFirst stop, WhenRefused refused);
    /// Reads all of it: fails with CorruptData where it isn't what its digest says.
    OperationPtr verify_image(const Artifact& known);
    /// At once; the files go in the background. Throws InUse: with the names of the VMs, or as it is being made or read.
    void delete_image(const Artifact& image);
    void delete_kernel(const Artifact& kernel);
    /// For as long as something reads the image: it is neither deleted nor dropped meanwhile. Call what this gives when that has ended.
    std::function<void()> hold(const Digest& digest);

    /// An operation, as build_image(). `recipe.there_already` is filled in here; a size of 0 is the usual one, or that of what is there. Who asks for
    /// the same while it is pulled waits for that, and then has it. Throws InUse (another image of that name is being made, the cache is pruned).
    OperationPtr pull_image(PullRecipe recipe, Remake remake);
    /// An operation that removes blobs and drafts which nobody needs; with CachedBlobs::None also blobs of images that are there. Throws InUse (a pull runs).
    OperationPtr prune_image_cache(CachedBlobs keep);

    /// An operation; `from` is empty or absolute. Throws InUse (a fetch runs).
    OperationPtr fetch_runtime(std::filesystem::path from);
    /// As RuntimePrograms::verify().
    Task<std::vector<RuntimeProgram>> verify_runtime(std::stop_token stop);
    /// An operation; what the bundle of a manifest brings. Throws InUse (a fetch runs).
    OperationPtr fetch_bundle(std::filesystem::path manifest);
    /// An operation. Throws NotFound (an image or a kernel), InUse (a bundle is being made).
    OperationPtr package_runtime(PackageWish wish);
    /// Takes the image and the kernel of the bundle that is there into the catalogs, where they have none of those names or an older
    /// bundle's. What goes wrong is logged; throws Cancelled alone. Who comes second waits for the first.
    Task<void> take_bundle(std::stop_token stop);

    // vm_transfer.cpp
    /// An operation: it ends when the archive has been written. Throws InvalidArgument (it goes when it stops), NotFound (the image), InUse (too many of
    /// these run), and as VmManager::check_lendable().
    OperationPtr export_vm(VmPtr vm, UniqueFd output, ExportWish wish);
    /// An operation: it ends when the VM is whole, and stopped; where it fails nothing is left. Throws InUse (as above).
    OperationPtr import_vm(UniqueFd input, ImportWish wish);
    // autostart.cpp
    /// An operation: starts all VMs that are marked; it fails with the first one's failure once all have been tried.
    OperationPtr start_marked();

    /// ssh(1) options that reach a running VM.
    Task<std::vector<std::pair<std::string, std::string>>> ssh_options(VmPtr vm);

private:
    using Make = std::function<void(const std::filesystem::path& draft, const MakingProgress& progress)>;
    /// What an image and a kernel have in common while they are made.
    struct Making {
        std::string what;  ///< "image" or "kernel"
        std::string name;
        Artifacts* catalog;
        std::function<Standing(const Artifact& present)> compare;  ///< on a worker thread
        Make make;
        Remake remake;
    };
    OperationPtr start_making(const std::string& kind, Making making);
    Task<void> make_artifact(Making making, OperationPtr operation);
    Task<bool> is_there_already(const Making* making, Artifact present);
    Task<void> make_and_adopt(Artifacts* catalog, std::string name, Make make, OperationPtr operation);
    Task<void> seal(std::filesystem::path artifact);
    static void report_artifact(const OperationPtr& operation, const Artifact& artifact, bool built);
    /// Throws AlreadyExists, InUse.
    void claim_for_promotion(const std::string& name, Remake remake);
    Task<void> refuse_and_keep(VmPtr vm, Error refusal, StopFirst stop, OperationPtr operation);
    Task<void> promote(VmPtr vm, DiskSource source, StopFirst stop, OperationPtr operation);
    Task<void> take_disk(DiskSource source, std::filesystem::path disk, OperationPtr operation);
    Task<void> verify(Artifact image, OperationPtr operation);
    void mark_damaged(const Artifact& image);
    void refuse_deletion(const char* what, const Artifact& artifact, const std::vector<std::string>& users) const;
    void drop_unused();
    /// Of digests that VMs of other state folders use.
    bool is_used_elsewhere(const Digest& digest) const;
    void note_cache_use();
    void cache_use_written(const std::string& problem);
    void discard_later(std::filesystem::path aside);
    void lock_name(const std::string& key);
    /// A pull at work, and who waits for it.
    struct Pull {
        PullRecipe recipe;
        std::vector<Promise<Unit>> waiting{};
    };
    Task<void> pull_in_turn(PullRecipe recipe, Remake remake, OperationPtr operation);
    Task<void> pull_now(PullRecipe recipe, Remake remake, OperationPtr operation);
    void end_pull(const std::string& name) noexcept;
    Task<void> prune_now(PruneRequest request, OperationPtr operation);
    Task<void> fetch_runtime(std::function<FetchOutcome(const RuntimeProgress&)> fetch, OperationPtr operation);
    OperationPtr start_fetch(std::function<FetchOutcome(const RuntimeProgress&)> fetch);
    Task<void> package_runtime(BundleRecipe recipe, OperationPtr operation);
    Task<void> take_bundle_at_start();
    Task<std::vector<std::string>> register_bundle(std::stop_token stop);
    Task<bool> take_image(FoundBundle bundle, const char* part, std::string name, std::stop_token stop);
    Task<bool> take_kernel(FoundBundle bundle, std::stop_token stop);
    std::pair<BundleRecipe, std::vector<Digest>> recipe_of(const PackageWish& wish) const;
    void probe_in_background(const Artifact& kernel);
    Task<void> export_now(VmPtr vm, std::shared_ptr<UniqueFd> output, VmPacking packing, StopFirst stop,
                          OperationPtr operation);
    Task<void> pack_vm(VmPtr vm, std::shared_ptr<UniqueFd> output, VmPacking packing, std::filesystem::path disk,
                       OperationPtr operation);
    Task<void> import_now(std::shared_ptr<UniqueFd> input, ImportWish wish, OperationPtr operation);
    std::optional<VmUnpacking::Image> image_to_take(const VmArchiveContents& contents) const;
    void check_room(const VmArchiveContents& contents, bool with_image) const;
    void check_transfers() const;
    OperationPtr add_transfer(const std::string& kind, const std::string& target, std::function<void()> ended);
    Task<void> unpack_vm(std::shared_ptr<OpenedVmArchive> archive, VmUnpacking where, ImportWish wish,
                         OperationPtr operation);
    std::string adopt_image(const VmUnpacking::Image& image);
    struct MarkedVms;
    Task<void> start_all_marked(std::shared_ptr<MarkedVms> marked, OperationPtr operation);
    Task<void> wait_for_network(OperationPtr operation);
    Task<void> start_some_marked(std::shared_ptr<MarkedVms> marked, OperationPtr operation);
    Task<void> clear_drafts();
    Task<std::vector<std::string>> authorized_keys();
    VmPorts vm_ports();
    std::string sandbox_owner();
    VmObserver relay();
    void housekeep();
    Task<void> give_files(VmPtr vm, OperationPtr operation);
    Task<void> make_guest_folders(VmPtr vm, std::vector<std::string> folders);
    void stop_stale(const VmPtr& vm);
    void stop_unasked(const VmPtr& vm, const std::string& why, std::chrono::milliseconds limit);
    void apply_settings();

    AgentPorts ports_;
    Paths paths_;
    std::vector<std::string> warnings_;
    std::filesystem::path doubted_key_;  ///< ssh_key_path that was warned of
    Lane store_lane_{1};
    Lane work_lane_{4};
    /// Images and kernels take minutes, which no VM's disk shall wait for, nor share a processor with.
    Lane making_lane_{4, Lane::usual_limit, Lane::Priority::Low};
    /// A registry may be slow for hours, which no build shall wait for.
    Lane pulling_lane_{2, Lane::usual_limit, Lane::Priority::Low};
    /// And so may the other end of a VM's archive, which may be another transfer of ours: each has a thread, or isn't begun.
    static constexpr std::size_t most_transfers = 16;
    Lane transfer_lane_{most_transfers};
    Operations operations_;
    VmStatistics statistics_;
    VmObserver observer_;
    VmObserver second_observer_;
    std::function<void(const Operation&)> operation_told_;
    std::unique_ptr<VmManager> vms_;
    StaleWatch stale_;
    PowerCare power_;
    std::function<void()> artifacts_changed_;
    std::function<void()> environment_changed_;
    std::set<std::string> being_made_;   ///< "image NAME", "kernel NAME", "runtime", "bundle" or "image cache"
    std::map<std::string, Pull> pulls_;  ///< by the image's name
    std::stop_source ending_;            ///< of what runs on lanes and is no operation
    TaskMutex registering_;              ///< a bundle's parts
    std::multiset<std::string> held_;    ///< digests of what is being read
    std::size_t transfers_{0};           ///< that have not ended
    std::string owner_;                  ///< what sandboxes and users of the cache are known by
    CacheUsers cache_users_;
    std::optional<std::set<std::string>> noted_use_;  ///< as cache_users_ has it or is about to; none: not known
    std::string unwritten_use_;                       ///< why it could not be written; empty: it could
    bool recovered_{false};                           ///< until then not all VMs are known, and so not who uses what
    EventLoop::Source housekeeping_;
};

}  // namespace banger::agent
