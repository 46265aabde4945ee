// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/sha256.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

Digest Sha256::finish()
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> raw{};
    sha256_digest(&context_, raw.size(), raw.data());
    std::string text;
    for (const auto byte : raw) {
        text += {digits[byte >> 4U], digits[byte & 0xfU]};
    }
    return Digest::parse(text);
}

Digest sha256_of_file(const std::filesystem::path& file, const std::stop_token& stop)
{
    constexpr std::size_t block_size = std::size_t{64} << 10U;
    // Not blocking, as opening a FIFO would.
    const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) < 0) {
        throw errno_error("can't read " + file.string(), errno);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error{ErrorCode::Failed, file.string() + " is no regular file"};
    }
    Sha256 sum;
    std::vector<std::uint8_t> block(block_size);
    for (;;) {
        const auto got = ::read(fd.get(), block.data(), block.size());
        if (got < 0 && errno != EINTR) {
            throw errno_error("can't read " + file.string(), errno);
        }
        if (got == 0) {
            return sum.finish();
        }
        sum.add({block.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
        if (stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
    }
}

}  // namespace banger::agent
