// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <string_view>

#include "guest/boot/roles.hpp"
#include "guest/boot/say.hpp"

namespace {

int run(std::string_view role, const char* argument)
{
    if (role == "--service") {
        return banger::guest::run_service();
    }
    if (role == "--init") {
        return banger::guest::run_init();
    }
    if (role == "--announce" && argument != nullptr) {
        return banger::guest::run_announce(argument);
    }
    if (role == "--ssh-keys") {
        return banger::guest::run_ssh_keys();
    }
    if (role.empty() && ::getpid() == 1) {
        return banger::guest::run_initrd();
    }
    std::cerr << "banger-guest " BANGER_VERSION " is the guest's half of banger; it runs in VMs\n";
    return 2;
}

}  // namespace

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    try {
        return run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : nullptr);
    } catch (const std::exception& error) {
        banger::guest::say(error.what());
    } catch (...) {
        banger::guest::say("an unknown failure");
    }
    return 1;
}
