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
#include "agent/system/image/initrd.hpp"
#include "agent/system/image/kernel_parts.hpp"
#include "agent/system/image/root_tree.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr auto boot_modules_file = artifact_file::boot_modules;
constexpr auto guest_mark = "initrd.guest";  ///< the digest of the banger-guest in the initrd

/// Files that a power cut may not take back once the user was told "done".
void sync_to_disk(const fs::path& path)
{
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) < 0) {
        throw errno_error("can't write " + path.string(), errno);
    }
}

void describe(const fs::path& file, const nlohmann::json& description)
{
    std::ofstream stream{file};
    stream << description.dump(2) << "\n";
    stream.close();
    if (!stream) {
        throw errno_error("can't write " + file.string(), errno);
    }
}

void seal(const fs::path& folder)
{
    for (const auto& entry : fs::directory_iterator{folder}) {
        fs::permissions(entry.path(), fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
        sync_to_disk(entry.path());
    }
    sync_to_disk(folder);
}

std::uint64_t total_size(const fs::path& folder)
{
    std::uint64_t sum = 0;
    for (const auto& entry : fs::directory_iterator{folder}) {
        sum += entry.is_regular_file() ? allocated_bytes(entry.path()) : 0;
    }
    return sum;
}

std::vector<std::string> packages_of(const ImageRecipe& recipe)
{
    std::vector<std::string> packages = default_packages();
    if (!recipe.packages_file.empty()) {
        std::ifstream file{recipe.packages_file};
        if (!file) {
            throw Error{ErrorCode::NotFound, "can't read the package list " + recipe.packages_file.string()};
        }
        packages =
            parse_package_list(std::string{std::istreambuf_iterator<char>{file}, {}}, recipe.packages_file.string());
    }
    for (const auto& word : recipe.packages) {
        const auto more = parse_package_list(word, "--packages");
        packages.insert(packages.end(), more.begin(), more.end());
    }
    return packages;
}

/// A draft folder with a scratch folder in it; both are gone unless kept.
class Draft {
public:
    explicit Draft(const fs::path& folder) : folder_{folder}
    {
        remove_tree(folder_);
        fs::create_directories(scratch());
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft()
    {
        if (!kept_) {
            remove_tree(folder_);
        }
    }
    fs::path scratch() const { return folder_ / "scratch"; }
    fs::path file(const char* name) const { return folder_ / name; }
    void keep()
    {
        seal(folder_);
        kept_ = true;
    }
    void drop_scratch() const { remove_tree(scratch()); }

private:
    fs::path folder_;
    bool kept_{false};
};

}  // namespace

const fs::path& DebianArtifacts::guest() const
{
    if (guest_.empty()) {
        throw Error{ErrorCode::HostLacks, "banger-guest is not beside bangerd; install banger again"};
    }
    return guest_;
}

std::string DebianArtifacts::default_suite() const { return host_suite(); }

std::string DebianArtifacts::default_package_list() const { return packages_list; }

fs::path DebianArtifacts::fresh_log(const std::string& name) const
{
    fs::create_directories(logs_);
    auto log = logs_ / (name + ".log");
    const std::ofstream emptied{log, std::ios::trunc};
    return log;
}

void DebianArtifacts::build_image(const ImageRecipe& recipe, const fs::path& draft, const MakingProgress& progress)
{
    const auto suite = recipe.suite.empty() ? host_suite() : recipe.suite;
    check_suite(suite);
    const auto packages = packages_of(recipe);
    const auto log = fresh_log("image-" + recipe.name);
    Draft work{draft};
    const auto tree = work.scratch() / "root";
    make_root_tree(suite, packages, tree, log, progress);
    finish_root_tree(suite, tree);
    progress.stage("making the root disk");
    const auto disk = work.file(artifact_file::root_file_system);
    write_root_disk(tree, disk, recipe.size, log, progress);
    work.drop_scratch();
    progress.stage("computing the digest");
    const auto digest = content_digest(disk, progress.stop);
    describe(work.file("image.json"), {{"name", recipe.name},
                                       {"digest", digest.str()},
                                       {"size", recipe.size.bytes()},
                                       {"allocated", allocated_bytes(disk)},
                                       {"origin", "debian " + suite},
                                       {"created", static_cast<std::int64_t>(::time(nullptr))},
                                       {"packages", packages}});
    work.keep();
}

void DebianArtifacts::import_kernel(const KernelRecipe& recipe, const fs::path& draft, const MakingProgress& progress)
{
    const auto log = fresh_log("kernel-" + recipe.name);
    const auto suite = recipe.suite.empty() ? host_suite() : recipe.suite;
    check_suite(suite);
    guest();
    Draft work{draft};
    const auto kernel = recipe.vmlinuz.empty() ? fetch_kernel(suite, work.scratch(), progress) : local_kernel(recipe);
    progress.stage("unpacking the kernel");
    write_vmlinux(kernel.vmlinuz, work.file(artifact_file::kernel));
    progress.stage("making the initrd");
    write_boot_modules(work.file(boot_modules_file), boot_modules(kernel.modules));
    progress.stage("making the modules disk");
    write_modules_disk(kernel, work.file(artifact_file::modules), log, progress);
    work.drop_scratch();
    const auto digest = combined_digest({content_digest(work.file(artifact_file::kernel), progress.stop),
                                         content_digest(work.file(boot_modules_file), progress.stop),
                                         content_digest(work.file(artifact_file::modules), progress.stop)});
    refresh_initrd(draft);
    const auto size = total_size(draft);
    describe(work.file("kernel.json"), {{"name", recipe.name},
                                        {"digest", digest.str()},
                                        {"version", kernel.version},
                                        {"size", size},
                                        {"allocated", size},
                                        {"origin", kernel.origin},
                                        {"created", static_cast<std::int64_t>(::time(nullptr))}});
    work.keep();
}

void DebianArtifacts::refresh_initrd(const fs::path& kernel)
{
    const auto mark = kernel / guest_mark;
    const auto wanted = content_digest(guest(), {}).str();
    std::string present;
    std::ifstream{mark} >> present;
    if (present == wanted && fs::exists(kernel / artifact_file::initrd)) {
        return;
    }
    const auto fresh = kernel / "initrd.new";
    Rollback rollback;
    rollback.add([&fresh] { fs::remove(fresh); });
    write_initrd(fresh, guest(), kernel / boot_modules_file);
    sync_to_disk(fresh);
    fs::remove(mark);
    fs::rename(fresh, kernel / artifact_file::initrd);
    rollback.commit();
    std::ofstream{mark} << wanted << "\n";
}

void DebianArtifacts::discard(const fs::path& draft) noexcept { remove_tree(draft); }

}  // namespace banger::agent
