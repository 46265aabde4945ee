// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/debian_artifacts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <packages.hpp>

#include "agent/ports/artifacts.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/debian.hpp"
#include "agent/system/image/disk_taking.hpp"
#include "agent/system/image/distribution.hpp"
#include "agent/system/image/image_record.hpp"
#include "agent/system/image/initrd.hpp"
#include "agent/system/image/kernel_checks.hpp"
#include "agent/system/image/kernel_parts.hpp"
#include "agent/system/image/root_tree.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr auto boot_modules_file = artifact_file::boot_modules;
constexpr auto first_initrd = artifact_file::first_initrd;
/// Those that stay as they are; the initrd is made anew with another banger-guest.
constexpr std::initializer_list<const char*> kernel_files{artifact_file::kernel, boot_modules_file,
                                                          artifact_file::modules, first_initrd};
constexpr auto build_logs = "image-build";
constexpr auto kernel_logs = "kernel-import";
constexpr auto guest_mark = "initrd.guest";  ///< the digest of the banger-guest in the initrd

void describe(const fs::path& file, const nlohmann::json& description)
{
    std::ofstream stream{file};
    stream << description.dump(2) << "\n";
    stream.close();
    if (!stream) {
        throw errno_error("can't write " + file.string(), errno);
    }
}

std::uint64_t total_size(const fs::path& folder)
{
    std::uint64_t sum = 0;
    for (const auto& entry : fs::directory_iterator{folder}) {
        sum += entry.is_regular_file() ? allocated_bytes(entry.path()) : 0;
    }
    return sum;
}

}  // namespace

const fs::path& DebianArtifacts::guest() const
{
    if (guest_.empty()) {
        throw Error{ErrorCode::HostLacks, "banger-guest is not beside bangerd; install banger again"};
    }
    return guest_;
}

std::string DebianArtifacts::default_suite() const { return host_suite(); }

std::string DebianArtifacts::default_package_list() const { return packages_apt; }

fs::path DebianArtifacts::fresh_log(const char* kind, const std::string& name) const
{
    const auto folder = logs_ / kind;
    fs::create_directories(folder);
    auto log = folder / (name + ".log");
    const std::ofstream emptied{log, std::ios::trunc};
    return log;
}

namespace {

/// What a registry's image says of its programs goes on to what is made of it. `parent`: that image's folder, or empty.
nlohmann::json inherited(const fs::path& parent)
{
    constexpr auto member = "config";
    auto json = nlohmann::json::object();
    if (!parent.empty()) {
        if (auto config = member_of(parent, member); !config.is_null()) {
            json[member] = std::move(config);
        }
    }
    return json;
}

/// Each phase stands in the log, too, as a line of its own.
MakingProgress with_log(const MakingProgress& progress, const fs::path& log)
{
    return {[log, tell = progress.stage](const std::string& stage) {
                std::ofstream{log, std::ios::app} << "== " << stage << "\n";
                tell(stage);
            },
            progress.stop};
}

std::string origin_of(const ImageRecipe& recipe, const std::string& suite)
{
    return std::string{distribution_of(suite).name} + " " + suite + (recipe.docker ? " with docker" : "") +
           (recipe.base.empty() ? "" : " on " + recipe.base_name);
}

}  // namespace

/// The base's tree, if there is one, and its suite.
std::string DebianArtifacts::begin_tree(const ImageRecipe& recipe, TreeRecipe& tree, const MakingProgress& progress)
{
    if (recipe.base.empty()) {
        return recipe.suite.empty() ? host_suite() : recipe.suite;
    }
    tree.base = recipe.base;
    tree.base_name = recipe.base_name;
    check_clean_disk(recipe.base);
    unpack_base(tree, progress);
    auto found = suite_of_tree(tree.tree);
    if (!recipe.suite.empty() && recipe.suite != found) {
        throw Error{ErrorCode::InvalidArgument,
                    "the base " + recipe.base_name + " is " + shown(found) + ", not " + recipe.suite};
    }
    check_suite(found);
    return found;
}

void DebianArtifacts::build_image(const ImageRecipe& recipe, const fs::path& draft, const MakingProgress& caller)
{
    if (!recipe.suite.empty()) {
        check_suite(recipe.suite);
    }
    auto inputs = inputs_of(recipe);  // first, as what is wrong with a list is to be told before anything is made
    auto more = inherited(recipe.base_digest.empty() ? fs::path{} : recipe.base.parent_path());
    const auto log = fresh_log(build_logs, recipe.name);
    const auto progress = with_log(caller, log);
    ArtifactDraft work{draft};
    TreeRecipe tree{.image = recipe.name,
                    .suite = {},
                    .packages = {},
                    .listed = {},
                    .tree = work.scratch() / "root",
                    .scratch = work.scratch(),
                    .log = log};
    tree.suite = begin_tree(recipe, tree, progress);
    tree.listed = packages_of(recipe, tree.suite);
    tree.packages = package_names(tree.listed);
    tree.customize_script = recipe.customize_script;
    tree.docker = recipe.docker;
    progress.stage("running mmdebstrap");
    make_root_tree(tree, progress);
    if (recipe.base.empty()) {
        finish_root_tree(tree.suite, tree.tree);
    } else {
        finish_based_tree(tree.tree);
    }
    progress.stage("making the root disk");
    const auto disk = work.file(artifact_file::root_file_system);
    write_root_disk(tree.tree, disk, size_of(recipe), log, progress);
    work.drop_scratch();
    more["packages"] = tree.packages;
    more["inputs"] = std::move(inputs);
    finish_image(work, recipe.name, origin_of(recipe, tree.suite), progress, more);
}

/// Asked for, or the base's, or the usual one.
ByteSize DebianArtifacts::size_of(const ImageRecipe& recipe)
{
    if (recipe.size.bytes() != 0) {
        return recipe.size;
    }
    return recipe.base.empty() ? usual_image_size : look_at_disk(recipe.base).file_system;
}

void DebianArtifacts::finish_image(ArtifactDraft& work, const std::string& name, const std::string& origin,
                                   const MakingProgress& progress, const nlohmann::json& more)
{
    progress.stage("computing the digest");
    const auto digest = content_digest(work.file(artifact_file::root_file_system), progress.stop);
    describe_image(work.folder(), name, origin, digest, more);
    work.keep();
}

Standing DebianArtifacts::standing_of(const fs::path& image, const ImageRecipe& recipe)
{
    const auto inputs = inputs_of(recipe);
    const auto recorded = recorded_inputs(image);
    return recorded.is_null() ? Standing::Foreign : recorded == inputs ? Standing::Same : Standing::Other;
}

namespace {

constexpr auto source_member = "source";  ///< of an image that was a file: its path and stamp

std::string source_of(const DiskSource& source) { return source.disk.string() + " " + stamp_of(source.disk); }

}  // namespace

bool DebianArtifacts::is_copy_of(const fs::path& image, const DiskSource& source)
{
    return member_of(image, source_member) == source_of(source);
}

void DebianArtifacts::take_file(const DiskSource& source, const fs::path& draft, const MakingProgress& progress)
{
    const auto seen = source_of(source);
    check_clean_disk(source.disk);
    ArtifactDraft work{draft};
    work.drop_scratch();
    progress.stage("copying the file");
    const auto disk = work.file(artifact_file::root_file_system);
    if (fs::is_regular_file(source.disk)) {
        clone_or_copy(source.disk, disk, progress.stop);
    } else {
        const auto log = fresh_log(build_logs, source.name);
        copy_used_blocks(source.disk, disk, log, progress, confine_);
    }
    check_clean_disk(disk);  // what was copied, not what is there by now
    finish_image(work, source.name, source.origin, progress, {{source_member, seen}});
}

void DebianArtifacts::take_disk(const DiskSource& source, const fs::path& draft, const MakingProgress& caller)
{
    const auto log = fresh_log(build_logs, source.name);
    const auto progress = with_log(caller, log);
    ArtifactDraft work{draft};
    work.drop_scratch();
    const auto disk = work.file(artifact_file::root_file_system);
    copy_used_blocks(source.disk, disk, log, progress, confine_);
    check_clean_disk(disk);
    finish_image(work, source.name, source.origin, progress, inherited(source.parent));
}

bool DebianArtifacts::is_whole(const fs::path& image, const Digest& digest, const MakingProgress& progress)
{
    progress.stage("reading all of it");
    return content_digest(image / artifact_file::root_file_system, progress.stop) == digest;
}

namespace {

/// What is missing of the files becomes known here, and not at a boot.
KernelFiles with_modules(KernelFiles kernel, const KernelSays& says, const fs::path& scratch)
{
    const auto name = kernel.vmlinuz.string();
    if (!kernel.modules.empty()) {
        check_same_version(says, name, kernel.modules);
        return kernel;
    }
    kernel.version = version_without_modules(says, name);
    kernel.modules = make_empty_modules(scratch / "no-modules", kernel.version);
    return kernel;
}

}  // namespace

void DebianArtifacts::import_kernel(const KernelRecipe& recipe, const fs::path& draft, const MakingProgress& caller)
{
    const auto log = fresh_log(kernel_logs, recipe.name);
    const auto progress = with_log(caller, log);
    const auto suite = recipe.suite.empty() ? host_suite() : recipe.suite;
    check_suite(suite);
    guest();
    ArtifactDraft work{draft};
    const auto found =
        recipe.vmlinuz.empty() ? fetch_kernel(recipe, suite, work.scratch(), progress) : local_kernel(recipe);
    progress.stage("unpacking the kernel");
    const auto says = write_vmlinux(found.vmlinuz, work.file(artifact_file::kernel));
    const auto kernel = with_modules(found, says, work.scratch());
    progress.stage("making the initrd");
    write_boot_modules(work.file(boot_modules_file),
                       found.modules.empty() ? std::vector<fs::path>{} : boot_modules(kernel.modules));
    if (!recipe.initrd.empty()) {
        check_initrd(recipe.initrd);
        clone_or_copy(recipe.initrd, work.file(first_initrd), progress.stop);
    }
    progress.stage("making the modules disk");
    write_modules_disk(kernel, work.file(artifact_file::modules), log, progress);
    work.drop_scratch();
    auto digest = combined_digest({content_digest(work.file(artifact_file::kernel), progress.stop),
                                   content_digest(work.file(boot_modules_file), progress.stop),
                                   content_digest(work.file(artifact_file::modules), progress.stop)});
    if (!recipe.initrd.empty()) {
        digest = combined_digest({digest, content_digest(work.file(first_initrd), progress.stop)});
    }
    refresh_initrd(draft);
    const auto size = total_size(draft);
    describe(work.file("kernel.json"), {{"name", recipe.name},
                                        {"digest", digest.str()},
                                        {"version", kernel.version},
                                        {"size", size},
                                        {"allocated", size},
                                        {"origin", kernel.origin},
                                        {"stamps", stamps_of(draft, kernel_files)},
                                        {"created", static_cast<std::int64_t>(::time(nullptr))}});
    work.keep();
}

std::string DebianArtifacts::kernel_origin(const KernelRecipe& recipe) const
{
    return agent::kernel_origin(recipe, recipe.suite.empty() ? host_suite() : recipe.suite);
}

namespace {

constexpr auto new_initrd = "initrd.new";  ///< and a number, as several bangerds that share a cache may begin at once
constexpr auto own_initrd = "initrd.own";  ///< the same: banger's part, where the user has one, too

/// Of a refresh that was killed; or of one by another bangerd, which then fails, and this one is in its place.
void drop_unfinished_initrds(const fs::path& kernel)
{
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{kernel, none}) {
        const auto name = entry.path().filename().string();
        if (name.starts_with(new_initrd) || name.starts_with(own_initrd)) {
            fs::remove(entry.path(), none);
        }
    }
}

}  // namespace

void DebianArtifacts::refresh_initrd(const fs::path& kernel)
{
    const auto mark = kernel / guest_mark;
    const auto wanted = content_digest(guest(), {}).str();
    std::string present;
    std::ifstream{mark} >> present;
    if (present == wanted && fs::exists(kernel / artifact_file::initrd)) {
        return;
    }
    drop_unfinished_initrds(kernel);
    const auto number = "-" + std::to_string(::gettid());
    const auto fresh = kernel / (new_initrd + number);
    Rollback rollback;
    rollback.add([&fresh] { fs::remove(fresh); });
    if (const auto first = kernel / first_initrd; fs::exists(first)) {
        const auto own = kernel / (own_initrd + number);
        rollback.add([own] { fs::remove(own); });
        write_initrd(own, guest(), kernel / boot_modules_file);
        join_initrds(first, own, fresh);
        fs::remove(own);
    } else {
        write_initrd(fresh, guest(), kernel / boot_modules_file);
    }
    sync_to_disk(fresh);
    fs::remove(mark);
    fs::rename(fresh, kernel / artifact_file::initrd);
    rollback.commit();
    std::ofstream{mark} << wanted << "\n";
}

void DebianArtifacts::seal(const fs::path& artifact) { sync_to_disk(artifact.parent_path()); }

void DebianArtifacts::discard(const fs::path& draft) noexcept
{
    forget_draft(draft);
    discard_draft(draft);
}

}  // namespace banger::agent
