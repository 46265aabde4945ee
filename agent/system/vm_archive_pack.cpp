// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <span>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/disk_taking.hpp"
#include "agent/system/runtime/packed_stream.hpp"
#include "agent/system/runtime/tar_pack.hpp"
#include "agent/system/stop_wait.hpp"
#include "agent/system/vm_archive_files.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

constexpr unsigned archived_mode = 0600;
constexpr std::size_t most_ranges = 100'000;  // 4 MB of what comes before a file's bytes, of 8 that a reader takes

/// Where the archive's bytes go. A pipe's other end may take its time, or be gone.
class ArchiveSink {
public:
    ArchiveSink(int file, const std::stop_token& stop) : file_{file}
    {
        struct stat status {};
        if (::fstat(file, &status) < 0) {
            throw errno_error("can't write the archive", errno);
        }
        if (!S_ISREG(status.st_mode)) {
            wait_.emplace(stop);
        }
    }

    void write(std::span<const std::uint8_t> bytes)
    {
        while (!bytes.empty()) {
            // O_NONBLOCK would be the user's shell's, too; so much can be written without waiting once poll(2) says so (pipe(7)).
            const auto piece = wait_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
            if (wait_) {
                wait_->until_ready(file_, POLLOUT);
            }
            const auto written = ::write(file_, bytes.data(), piece);
            if (written < 0 && errno == EPIPE) {
                throw Error{ErrorCode::Failed, "nobody reads the archive any more"};
            }
            if (written < 0 && errno != EINTR && errno != EAGAIN) {
                throw errno_error("can't write the archive", errno);
            }
            bytes = bytes.subspan(written > 0 ? static_cast<std::size_t>(written) : 0);
        }
    }

    /// So that a power cut takes nothing back of what is said to be done.
    void finish() const
    {
        if (!wait_ && ::fsync(file_) < 0) {
            throw errno_error("can't write the archive", errno);
        }
    }

private:
    int file_;
    std::optional<StopWait> wait_;
};

std::uint64_t bytes_in_ranges(const std::vector<DataRange>& ranges)
{
    return std::accumulate(ranges.begin(), ranges.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const DataRange& range) { return sum + range.size; });
}

ContentScan scan_for(const VmPacking::File& file, const RuntimeProgress& progress)
{
    progress.stage("reading " + file.name);
    auto scan = scan_content(file.place, progress.stop);
    if (file.digest && *file.digest != scan.digest) {
        throw Error{ErrorCode::CorruptData, file.place.string() + " has the digest " + scan.digest.str() + " and not " +
                                                file.digest->str() + ", so it was changed"};
    }
    scan.data = coalesced(std::move(scan.data), most_ranges);
    return scan;
}

/// A block device knows of no holes: to read the 16 GiB that it may have takes minutes. So what is in use of it is read from a copy, beside the
/// VM's disks while this lasts.
class CopyOfDevice {
public:
    CopyOfDevice(VmPacking::File& file, const Confine& confine, const RuntimeProgress& progress)
    {
        if (!std::filesystem::is_block_file(file.place)) {
            return;
        }
        const auto folder = file.place.parent_path();
        remove_.add([folder] {
            std::error_code none;
            std::filesystem::remove(folder / vm_folder::root_copy, none);
            std::filesystem::remove(folder / vm_folder::export_log, none);
        });
        copy_used_blocks(file.place, folder / vm_folder::root_copy, folder / vm_folder::export_log,
                         {progress.stage, progress.stop}, confine);
        file.place = folder / vm_folder::root_copy;
    }

private:
    Rollback remove_;
};

}  // namespace

std::vector<DataRange> coalesced(std::vector<DataRange> ranges, std::size_t most)
{
    for (std::uint64_t gap = std::uint64_t{64} << 10U; ranges.size() > most; gap *= 2) {
        std::vector<DataRange> fewer;
        for (const auto& range : ranges) {
            auto* last = fewer.empty() ? nullptr : &fewer.back();
            if (last != nullptr && range.begin - (last->begin + last->size) <= gap) {
                last->size = range.begin + range.size - last->begin;
            } else {
                fewer.push_back(range);
            }
        }
        ranges = std::move(fewer);
    }
    return ranges;
}

PackedVm VmArchiveFiles::pack(VmPacking packing, const UniqueFd& output, const RuntimeProgress& progress)
{
    std::vector<std::unique_ptr<CopyOfDevice>> copies;
    for (auto& file : packing.files) {
        copies.push_back(std::make_unique<CopyOfDevice>(file, confine_, progress));
    }
    std::vector<ContentScan> scans;
    packing.contents.disks.clear();
    for (const auto& file : packing.files) {
        auto scan = scan_for(file, progress);
        packing.contents.disks.push_back(
            {.file = file.name, .size = scan.size, .data = bytes_in_ranges(scan.data), .digest = scan.digest});
        if (file.name == vm_archive_file::work_disk) {
            // One that has grown may have a record of before: the disk was full, or bangerd was killed.
            packing.contents.spec.disk = ByteSize{scan.size};
        }
        scans.push_back(std::move(scan));
    }
    const auto description = to_text(packing.contents);
    parse_vm_archive(description);  // what we write we must be able to read
    const UnpackLimits reader;
    ArchiveSink sink{output.get(), progress.stop};
    progress.stage("packing");
    TarPack tar{[&sink](std::span<const std::uint8_t> bytes) { sink.write(bytes); },
                {.compression = packing.form == VmPacking::Form::Packed ? TarCompression::Gzip : TarCompression::None,
                 .data_bytes = packing.contents.data(),
                 .ratio = packing.form == VmPacking::Form::Packed ? reader.ratio : 0,
                 .ratio_free = reader.ratio_free},
                progress};
    tar.add_text(vm_archive_file::description, archived_mode, description);
    for (std::size_t i = 0; i < packing.files.size(); ++i) {
        tar.add_file(packing.files[i].name, archived_mode, packing.files[i].place, scans[i].size, scans[i].data);
    }
    auto sha256 = tar.close();
    sink.finish();
    return {std::move(sha256), tar.written()};
}

}  // namespace banger::agent
