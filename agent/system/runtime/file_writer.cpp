// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/file_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"

namespace banger::agent {

FileWriter::FileWriter(const std::filesystem::path& file, ByteSize limit, std::string what)
    : fd_{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)},
      limit_{limit},
      what_{std::move(what)}
{
    if (!fd_) {
        throw errno_error("can't make " + file.string(), errno);
    }
}

void FileWriter::add(std::span<const std::uint8_t> bytes)
{
    if (bytes.size() > limit_.bytes() - written_) {
        throw Error{ErrorCode::CorruptData, what_ + " is larger than " + limit_.to_string() + ", which can't be right"};
    }
    while (!bytes.empty()) {
        const auto written = ::write(fd_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            throw errno_error("can't write " + what_, errno);
        }
        const auto count = written > 0 ? static_cast<std::size_t>(written) : 0;
        bytes = bytes.subspan(count);
        written_ += count;
    }
}

}  // namespace banger::agent
