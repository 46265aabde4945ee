// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/disk_scan.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/system/sha256.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t scan_block = std::size_t{64} << 10U;

class Scanner {
public:
    Scanner(const std::filesystem::path& file, std::stop_token stop)
        : name_{file}, stop_{std::move(stop)}, fd_{::open(file.c_str(), O_RDONLY | O_CLOEXEC)}, block_(scan_block)
    {
        struct stat status {};
        if (!fd_ || ::fstat(fd_.get(), &status) < 0) {
            throw errno_error("can't read " + file.string(), errno);
        }
        size_ = static_cast<std::uint64_t>(status.st_size);
    }

    DiskScan run()
    {
        std::uint64_t at = 0;
        while (at < size_) {
            const off_t data = ::lseek(fd_.get(), static_cast<off_t>(at), SEEK_DATA);
            if (data < 0 && errno != ENXIO) {  // which says: holes to the end
                throw errno_error("can't read " + name_.string(), errno);
            }
            const auto next = data < 0 ? size_ : static_cast<std::uint64_t>(data) / scan_block * scan_block;
            add_zeros(std::max(next, at) - at);
            at = std::max(next, at);
            if (at < size_) {
                at += add_block(at);
            }
            if (stop_.stop_requested()) {
                throw Error{ErrorCode::Cancelled, "cancelled"};
            }
        }
        return {size_, std::move(data_), sum_.finish()};
    }

private:
    void add_zeros(std::uint64_t count)
    {
        static const std::vector<std::uint8_t> zeros(std::size_t{1} << 20U);
        while (count > 0 && !stop_.stop_requested()) {
            const auto piece = std::min<std::uint64_t>(count, zeros.size());
            sum_.add({zeros.data(), static_cast<std::size_t>(piece)});
            count -= piece;
        }
    }

    std::uint64_t add_block(std::uint64_t at)
    {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(scan_block, size_ - at));
        std::size_t filled = 0;
        while (filled < wanted) {
            const auto got =
                ::pread(fd_.get(), block_.data() + filled, wanted - filled, static_cast<off_t>(at + filled));
            if (got == 0 || (got < 0 && errno != EINTR)) {
                throw errno_error("can't read " + name_.string(), got == 0 ? EIO : errno);
            }
            filled += got > 0 ? static_cast<std::size_t>(got) : 0;
        }
        sum_.add({block_.data(), wanted});
        const bool is_zero = block_[0] == 0 && std::memcmp(block_.data(), block_.data() + 1, wanted - 1) == 0;
        if (!is_zero) {
            if (!data_.empty() && data_.back().begin + data_.back().size == at) {
                data_.back().size += wanted;
            } else {
                data_.push_back({at, wanted});
            }
        }
        return wanted;
    }

    std::filesystem::path name_;
    std::stop_token stop_;
    UniqueFd fd_;
    std::vector<std::uint8_t> block_;
    std::uint64_t size_{0};
    std::vector<DataRange> data_;
    Sha256 sum_;
};

}  // namespace

DiskScan scan_disk(const std::filesystem::path& file, const std::stop_token& stop) { return Scanner{file, stop}.run(); }

}  // namespace banger::agent
