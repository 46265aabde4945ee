// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/content_digest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
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
    const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) < 0) {
        throw errno_error("can't open " + file.string(), errno);
    }
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    Sha256 sum;
    add_u64(sum, size);
    std::vector<std::uint8_t> block(block_size);
    std::uint64_t index = 0;
    while (index * block_size < size) {
        const off_t data = ::lseek(fd.get(), static_cast<off_t>(index * block_size), SEEK_DATA);
        if (data < 0) {
            break;  // ENXIO: holes to the end
        }
        index = static_cast<std::uint64_t>(data) / block_size;
        read_block(fd.get(), index, block, file);
        if (!all_zero(block)) {
            add_u64(sum, index);
            sum.add(block);
        }
        ++index;
        if (stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
    }
    return sum.finish();
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
