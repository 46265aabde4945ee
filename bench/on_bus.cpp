// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench_on_bus   links what banger-broker links, connects to the system bus, and ends
#include <cstdio>
#include <exception>

#include "dbus/compat/bus.hpp"

int main()
try {
    const auto connection = banger::bus::open_system_bus();
    std::puts(connection->getUniqueName().c_str());
    return 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "bench_on_bus: %s\n", problem.what());
    return 1;
}
