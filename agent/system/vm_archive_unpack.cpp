// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/ports/artifacts.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/image_record.hpp"
#include "agent/system/runtime/packed_stream.hpp"
#include "agent/system/runtime/tar_walk.hpp"
#include "agent/system/vm_archive_files.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

/// What may come before the description has said what will: its own bytes, and a header or two.
constexpr auto opening_limit = 4 * mib;
/// Of maps of holes and headers: 64 KiB of data have at most 42 bytes there (GNU tar's sparse format 1.0).
constexpr std::uint64_t map_share = 1'000;

/// Before the first byte is read no more is known.
UnpackLimits opening_limits()
{
    UnpackLimits limits;
    limits.stream = opening_limit;
    return limits;
}

/// Runs the reading of an archive; sentences begin with "it".
template <typename Read>
auto as_archive(Read&& read)
{
    try {
        return read();
    } catch (const Error& problem) {
        if (problem.code() != ErrorCode::CorruptData) {
            throw;
        }
        throw Error{ErrorCode::CorruptData, std::string{"the archive can't be taken in: "} + problem.what()};
    }
}

/// All bytes of the file at hand.
std::string read_archive_text(TarWalk& walk, std::uint64_t size)
{
    std::string text(static_cast<std::size_t>(size), '\0');
    walk.read([&text](const char* bytes, std::size_t count, la_int64_t offset) {
        const auto begin = static_cast<std::uint64_t>(offset);
        if (offset < 0 || begin > text.size() || count > text.size() - begin) {
            refuse_member(vm_archive_file::description, "has bytes behind its end");
        }
        text.replace(static_cast<std::size_t>(begin), count, bytes, count);
    });
    return text;
}

VmArchiveContents read_vm_description(TarWalk& walk)
{
    auto* entry = walk.next();
    const auto name = entry != nullptr ? bare_member_name(entry) : "";
    if (name != vm_archive_file::description) {
        throw Error{ErrorCode::CorruptData, "it does not begin with vm.json, so it is no VM's"};
    }
    check_is_plain_file(entry, name);
    const auto size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > vm_archive_description_limit) {
        refuse_member(name, "is larger than a description can be");
    }
    return parse_vm_archive(read_archive_text(walk, static_cast<std::uint64_t>(size)));
}

UniqueFd open_folder(const std::filesystem::path& folder)
{
    UniqueFd place{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!place) {
        throw errno_error("can't open " + folder.string(), errno);
    }
    return place;
}

void check_digest(const std::filesystem::path& file, const ArchivedDisk& disk, const std::stop_token& stop)
{
    if (const auto digest = content_digest(file, stop); digest != disk.digest) {
        throw Error{ErrorCode::CorruptData,
                    disk.file + " in it has the digest " + digest.str() + " and not " + disk.digest.str()};
    }
}

class OpenedArchive final : public OpenedVmArchive {
public:
    OpenedArchive(UniqueFd input, RuntimeProgress progress)
        : input_{std::move(input)},
          progress_{std::move(progress)},
          stream_{input_.get(), limits_, progress_},
          walk_{stream_, limits_},
          contents_{read_vm_description(walk_)}
    {
        // From now on it is known what there is to come: a byte more is a bomb.
        limits_.stream = ByteSize{opening_limit.bytes() + contents_.data() + contents_.data() / map_share};
    }

    const VmArchiveContents& contents() const noexcept override { return contents_; }

    Digest unpack(const VmUnpacking& where) override
    {
        return as_archive([&] { return unpack_all(where); });
    }

private:
    Digest unpack_all(const VmUnpacking& where)
    {
        std::optional<ArtifactDraft> draft;
        if (where.image) {
            draft.emplace(where.image->draft);
        }
        const auto image_file = where.image ? where.image->draft / vm_archive_file::image : std::filesystem::path{};
        unpack_files(where.folder, draft ? &*draft : nullptr);
        auto sha256 = stream_.finish();
        progress_.stage("checking the disks");
        for (const auto& disk : contents_.disks) {
            const bool is_image = disk.file == vm_archive_file::image;
            if (!is_image || draft) {
                check_digest(is_image ? image_file : where.folder / disk.file, disk, progress_.stop);
            }
        }
        if (draft) {
            keep_image(*draft, *where.image);
        }
        return sha256;
    }

    void unpack_files(const std::filesystem::path& folder, const ArtifactDraft* image)
    {
        const auto place = open_folder(folder);
        const auto image_place = image != nullptr ? open_folder(image->folder()) : UniqueFd{};
        std::set<std::string> seen;
        while (auto* entry = walk_.next()) {
            const auto name = bare_member_name(entry);
            const auto* disk = contents_.find(name);
            if (disk == nullptr) {
                refuse_member(name, "is nothing that vm.json names");
            }
            check_is_plain_file(entry, name);
            if (!seen.insert(name).second) {
                refuse_member(name, "is there twice");
            }
            if (archive_entry_size(entry) != static_cast<la_int64_t>(disk->size)) {
                refuse_member(name, "has " + std::to_string(archive_entry_size(entry)) + " bytes, and " +
                                        std::to_string(disk->size) + " by vm.json");
            }
            progress_.stage("unpacking " + name);
            const bool is_image = name == vm_archive_file::image;
            if (is_image && !image_place) {
                walk_.read([](const char*, std::size_t, la_int64_t) {});
            } else {
                unpack_member(walk_, disk->size, is_image ? image_place.get() : place.get(), name);
            }
        }
        for (const auto& disk : contents_.disks) {
            if (!seen.contains(disk.file)) {
                throw Error{ErrorCode::CorruptData,
                            "half an archive: vm.json names " + disk.file + ", which isn't in it"};
            }
        }
    }

    void keep_image(ArtifactDraft& draft, const VmUnpacking::Image& image) const
    {
        std::filesystem::rename(draft.file(vm_archive_file::image), draft.file(artifact_file::root_file_system));
        auto more = nlohmann::json::object();
        if (contents_.spec.image_config) {
            more["config"] = to_json(*contents_.spec.image_config);
        }
        describe_image(draft.folder(), image.name, "archive of VM " + contents_.spec.name.str(),
                       contents_.spec.image_digest, more);
        draft.keep();
    }

    UnpackLimits limits_{opening_limits()};
    UniqueFd input_;
    RuntimeProgress progress_;
    PackedStream stream_;
    TarWalk walk_;
    VmArchiveContents contents_;
};

}  // namespace

std::unique_ptr<OpenedVmArchive> VmArchiveFiles::open(UniqueFd input, RuntimeProgress progress)
{
    return as_archive([&]() -> std::unique_ptr<OpenedVmArchive> {
        return std::make_unique<OpenedArchive>(std::move(input), std::move(progress));
    });
}

}  // namespace banger::agent
