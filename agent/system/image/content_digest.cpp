// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/content_digest.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "agent/system/sha256.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t block_size = std::size_t{64} << 10U;

void add_u64(Sha256& sum, std::uint64_t value)
{
    std::array<std::uint8_t, 8> bytes{};
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(value & 0xffU);
        value >>= 8U;
    }
    sum.add(bytes);
}

bool all_zero(const std::vector<std::uint8_t>& block)
{
    return block.front() == 0 && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

void add_block(std::vector<DataRange>& ranges, std::uint64_t begin, std::uint64_t size)
{
    if (!ranges.empty() && ranges.back().begin + ranges.back().size == begin) {
        ranges.back().size += size;
    } else {
        ranges.push_back({begin, size});
    }
}

/// The block, filled up with zeros behind the file's end.
void read_block(int file, std::uint64_t index, std::vector<std::uint8_t>& block, const std::filesystem::path& name)
{
    std::size_t filled = 0;
    while (filled < block.size()) {
        const auto got = ::pread(file, block.data() + filled, block.size() - filled,
                                 static_cast<off_t>(index * block_size + filled));
        if (got < 0 && errno != EINTR) {
            throw errno_error("can't read " + name.string(), errno);
        }
        if (got == 0) {
            break;
        }
        filled += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    std::fill(block.begin() + static_cast<std::ptrdiff_t>(filled), block.end(), std::uint8_t{0});
}

}  // namespace

Digest content_digest(const std::filesystem::path& file, const std::stop_token& stop)
{
    return scan_content(file, stop).digest;
}

ContentScan scan_content(const std::filesystem::path& file, const std::stop_token& stop)
{
    const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    const off_t end = fd ? ::lseek(fd.get(), 0, SEEK_END) : -1;  // of a block device, too, for which stat(2) says 0
    if (end < 0) {
        throw errno_error("can't open " + file.string(), errno);
    }
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    const auto size = static_cast<std::uint64_t>(end);
    std::vector<DataRange> ranges;
    Sha256 sum;
    add_u64(sum, size);
    std::vector<std::uint8_t> block(block_size);
    std::uint64_t index = 0;
    while (index * block_size < size) {
        const auto at = static_cast<off_t>(index * block_size);
        const off_t data = ::lseek(fd.get(), at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;  // holes to the end
        }
        if (data < 0 && errno != EINVAL) {  // which says: a block device, and those know of no holes
            throw errno_error("can't read " + file.string(), errno);
        }
        index = static_cast<std::uint64_t>(std::max(data, at)) / block_size;
        read_block(fd.get(), index, block, file);
        if (!all_zero(block)) {
            add_u64(sum, index);
            sum.add(block);
            add_block(ranges, index * block_size, std::min<std::uint64_t>(block_size, size - index * block_size));
        }
        ++index;
        if (stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
    }
    return {size, std::move(ranges), sum.finish()};
}

Digest combined_digest(const std::initializer_list<Digest>& parts)
{
    Sha256 sum;
    for (const auto& part : parts) {
        sum.add({reinterpret_cast<const std::uint8_t*>(part.str().data()), part.str().size()});
    }
    return sum.finish();
}

}  // namespace banger::agent
