// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/entropy.hpp"

#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::guest {

void add_entropy(const std::string& seed)
{
    if (seed.empty()) {
        return;
    }
    // struct rand_pool_info of random(4), which ends in an array of unknown size.
    const std::array<int, 2> header{static_cast<int>(seed.size() * 8), static_cast<int>(seed.size())};
    std::vector<char> request(sizeof header + seed.size());
    std::memcpy(request.data(), header.data(), sizeof header);
    std::memcpy(request.data() + sizeof header, seed.data(), seed.size());
    const UniqueFd random{::open("/dev/urandom", O_RDWR | O_CLOEXEC)};
    if (!random || ::ioctl(random.get(), RNDADDENTROPY, request.data()) != 0) {
        throw errno_error("The host's entropy can't be added", errno);
    }
}

}  // namespace banger::guest
