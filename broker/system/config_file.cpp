// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/config_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {

BrokerConfig load_config(const std::string& file)
{
    const UniqueFd stream{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!stream && errno == ENOENT) {
        return {};
    }
    std::string text;
    std::array<char, 4096> block;
    for (ssize_t got = 1; got != 0;) {
        got = stream ? ::read(stream.get(), block.data(), block.size()) : -1;
        if (got < 0) {
            throw errno_error(file + " can't be read", errno, ErrorCode::InvalidArgument);
        }
        text.append(block.data(), static_cast<std::size_t>(got));
    }
    return parse_broker_config(text, file);
}

}  // namespace banger::broker
