// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/archive_unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <set>
#include <string>
#include <string_view>

#include "agent/core/image/oci_source.hpp"
#include "agent/system/runtime/packed_stream.hpp"
#include "agent/system/runtime/tar_walk.hpp"
#include "common/error.hpp"
#include "common/size.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::string_view layout_index = "index.json";
constexpr std::string_view blobs_prefix = "blobs/sha256/";
/// Of headers and padding, beside what the files have.
constexpr auto layout_headers_limit = 16 * mib;

UniqueFd open_oci_archive(const std::filesystem::path& file)
{
    UniqueFd archive{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (!archive || ::fstat(archive.get(), &status) < 0 || !S_ISREG(status.st_mode)) {
        throw errno_error("can't read " + file.string(), archive ? EINVAL : errno);
    }
    return archive;
}

UniqueFd make_layout_folder(const std::filesystem::path& folder)
{
    std::filesystem::create_directories(folder);
    UniqueFd place{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!place) {
        throw errno_error("can't make " + folder.string(), errno);
    }
    return place;
}

bool is_blob_name(std::string_view name)
{
    return name.starts_with(blobs_prefix) && is_oci_digest("sha256:" + std::string{name.substr(blobs_prefix.size())});
}

/// The walk through one archive.
class LayoutUnpacking {
public:
    LayoutUnpacking(const std::filesystem::path& folder, const LayerBounds& bounds)
        : top_{make_layout_folder(folder)},
          blobs_{make_layout_folder(folder / "blobs/sha256")},
          bounds_{&bounds},
          left_{bounds.bytes}
    {
    }

    void take(TarWalk& walk, archive_entry* entry)
    {
        if (++entries_ > bounds_->entries) {
            throw Error{ErrorCode::CorruptData, "it has more than " + std::to_string(bounds_->entries) +
                                                    " files, which is what the image's size allows; give it more "
                                                    "(--size)"};
        }
        if (archive_entry_filetype(entry) == AE_IFDIR) {
            return;
        }
        const auto name = bare_member_name(entry);
        check_is_plain_file(entry, name);
        const auto size = size_of(entry);
        const bool is_blob = is_blob_name(name);
        if (!is_blob && name != layout_index && name != "oci-layout") {
            walk.read([](const char*, std::size_t, la_int64_t) {});
            return;
        }
        if (!names_.insert(name).second) {
            refuse_member(name, "is there twice");
        }
        unpack_member(walk, size, is_blob ? blobs_.get() : top_.get(),
                      is_blob ? name.substr(blobs_prefix.size()) : name);
    }

    void check_is_whole() const
    {
        if (!names_.contains(std::string{layout_index})) {
            throw Error{ErrorCode::CorruptData, "it has no index.json, so it is no OCI archive"};
        }
    }

private:
    std::uint64_t size_of(archive_entry* entry)
    {
        const auto size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1;
        if (size < 0 || static_cast<std::uint64_t>(size) > left_) {
            throw Error{ErrorCode::CorruptData, "it unpacks to more than " + ByteSize{bounds_->bytes}.to_string() +
                                                    ", the image's size; give it more (--size)"};
        }
        left_ -= static_cast<std::uint64_t>(size);
        return static_cast<std::uint64_t>(size);
    }

    UniqueFd top_;
    UniqueFd blobs_;
    const LayerBounds* bounds_;
    std::uint64_t left_;
    std::uint64_t entries_{0};
    std::set<std::string> names_;
};

}  // namespace

void unpack_oci_archive(const std::filesystem::path& file, const std::filesystem::path& folder,
                        const LayerBounds& bounds, const PullProgress& progress)
{
    const auto archive = open_oci_archive(file);
    LayoutUnpacking unpacking{folder, bounds};
    const RuntimeProgress told{progress.stage, progress.fraction, progress.stop};
    const UnpackLimits limits{.stream = ByteSize{bounds.bytes + layout_headers_limit.bytes()},
                              .ratio = greatest_layer_ratio};
    PackedStream stream{archive.get(), limits, told};
    TarWalk walk{stream, limits};
    while (auto* entry = walk.next()) {
        unpacking.take(walk, entry);
    }
    stream.finish();
    unpacking.check_is_whole();
}

}  // namespace banger::agent
