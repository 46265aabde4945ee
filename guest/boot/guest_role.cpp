// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/guest_role.hpp"

#include <sys/utsname.h>

#include <fstream>

#include "guest/setup/setup.hpp"

namespace banger::guest {

wire::Hello GuestRole::hello()
{
    utsname kernel{};
    ::uname(&kernel);
    std::string boot_id;
    std::getline(std::ifstream{"/proc/sys/kernel/random/boot_id"}, boot_id);
    return {boot_id, BANGER_VERSION, kernel.release, name_, ready_, {"exec", "connect", "copy"}};
}

wire::ConfigureResult GuestRole::configure(const wire::Configure& configure)
{
    ready_ = true;
    return {apply(configure)};
}

wire::Ready GuestRole::ready()
{
    stages_.reached("ready");
    return {stages_.times()};
}

}  // namespace banger::guest
