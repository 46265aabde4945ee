// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "agent/unpack/tree_writer.hpp"

int main(int argc, char** argv)
{
    constexpr int exit_usage = 2;
    if (argc != 3) {
        std::fprintf(stderr, "banger-unpack IMAGE FOLDER: unpacks an ext4 file system; started by bangerd\n");
        return exit_usage;
    }
    ::umask(0);
    try {
        banger::unpack::unpack_image(argv[1], argv[2]);
        return EXIT_SUCCESS;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "%s\n", failure.what());
    }
    return EXIT_FAILURE;
}
