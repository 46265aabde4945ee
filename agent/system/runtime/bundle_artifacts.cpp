// SPDX-License-Identifier: GPL-2.0-or-later
// The half of BundleHome that makes images and kernels of a bundle's parts.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
#include "agent/ports/artifacts.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/image_record.hpp"
#include "agent/system/runtime/bundle_home.hpp"
#include "agent/system/runtime/bundle_unpack.hpp"
#include "agent/system/runtime/runtime_lock.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

bool reflink_file(const fs::path& from, const fs::path& to)
{
    const UniqueFd source{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
    const UniqueFd target{::open(to.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (source && target && ::ioctl(target.get(), FICLONE, source.get()) == 0) {
        return true;
    }
    ::unlink(to.c_str());
    return false;
}

/// A reflink, so that later changes of one don't reach the other; else a link to a file of ours; else a copy with its holes.
void share_file(const fs::path& from, const fs::path& to, const std::stop_token& stop)
{
    struct stat status {};
    if (reflink_file(from, to)) {
        return;
    }
    const bool is_ours = ::stat(from.c_str(), &status) == 0 && status.st_uid == ::geteuid();
    if (!is_ours || ::link(from.c_str(), to.c_str()) < 0) {
        clone_or_copy(from, to, stop);
    }
}

/// Shares a part, and reads what came of it: not the bundle's file, which may be another one by then.
void take_part(const FoundBundle& bundle, const BundlePart& part, const fs::path& to, const std::stop_token& stop)
{
    share_file(bundle.file_of(part), to, stop);
    if (const auto problem = mismatch_of(to, part, stop); !problem.empty()) {
        throw Error{ErrorCode::CorruptData, bundle.file_of(part).string() + " " + problem +
                                                "; banger runtime fetch --manifest FILE gets the bundle again"};
    }
}

const BundlePart& part_called(const FoundBundle& bundle, const char* name)
{
    const auto* part = bundle.contents.find(name);
    if (part == nullptr) {
        throw Error{ErrorCode::CorruptData,
                    (bundle.folder / bundle_description).string() + " has no part \"" + name + "\""};
    }
    return *part;
}

std::string origin_of(const FoundBundle& bundle) { return bundle_origin + bundle.contents.version; }

}  // namespace

void BundleHome::make_image(const FoundBundle& bundle, const BundlePart& disk, const std::string& name,
                            const fs::path& draft, const std::stop_token& stop)
{
    ArtifactDraft work{draft};
    const auto file = draft / artifact_file::root_file_system;
    take_part(bundle, disk, file, stop);
    describe_image(draft, name, origin_of(bundle), disk.digest.value(), nlohmann::json::object());
    work.keep();
}

Digest BundleHome::kernel_digest(const FoundBundle& bundle) const
{
    return combined_digest({part_called(bundle, bundle_part::kernel).digest.value(),
                            part_called(bundle, bundle_part::boot_modules).digest.value(),
                            part_called(bundle, bundle_part::modules).digest.value()});
}

void BundleHome::make_kernel(const FoundBundle& bundle, const std::string& name, const fs::path& draft,
                             const std::stop_token& stop)
{
    ArtifactDraft work{draft};
    const auto& kernel = part_called(bundle, bundle_part::kernel);
    take_part(bundle, kernel, draft / artifact_file::kernel, stop);
    take_part(bundle, part_called(bundle, bundle_part::boot_modules), draft / artifact_file::boot_modules, stop);
    take_part(bundle, part_called(bundle, bundle_part::modules), draft / artifact_file::modules, stop);
    take_part(bundle, part_called(bundle, bundle_part::initrd), draft / artifact_file::initrd, stop);
    std::uint64_t size = 0;
    for (const auto& entry : fs::directory_iterator{draft}) {
        size += allocated_bytes(entry.path());
    }
    write_whole(
        draft / "kernel.json",
        {{"name", name},
         {"digest", kernel_digest(bundle).str()},
         {"version", kernel.version},
         {"size", size},
         {"allocated", size},
         {"origin", origin_of(bundle)},
         {"stamps", stamps_of(draft, {artifact_file::kernel, artifact_file::boot_modules, artifact_file::modules})},
         {"created", static_cast<std::int64_t>(::time(nullptr))}});
    work.keep();
}

}  // namespace banger::agent
