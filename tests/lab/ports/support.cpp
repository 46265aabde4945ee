// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/ports/support.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <vector>

namespace banger::broker::test {
namespace {

UniqueFd make_base(const std::filesystem::path& path)
{
    UniqueFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    const std::string block(1U << 20U, '1');
    for (std::uint64_t at = 0; at < Disk::size.mib(); ++at) {
        write_all(file.get(), block, path.string());
    }
    return UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
}

}  // namespace

Output shell(const std::string& command)
{
    std::string text;
    FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "re");
    for (int letter = 0; (letter = std::fgetc(pipe)) != EOF;) {
        text += static_cast<char>(letter);
    }
    const int status = ::pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

std::string must(const std::string& command)
{
    const auto output = shell(command);
    if (output.code != 0) {
        throw std::runtime_error{command + " ended with " + std::to_string(output.code) + ": " + output.text};
    }
    return output.text;
}

SandboxKey key(const std::string& id, uid_t uid) { return {uid, SandboxId::parse(id)}; }

std::optional<ErrorCode> code_of(const std::function<void()>& work)
{
    try {
        work();
    } catch (const Error& failure) {
        std::printf("  says: %s\n", failure.what());
        return failure.code();
    }
    return std::nullopt;
}

bool eventually(const std::function<bool()>& is_so)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        must("udevadm settle");
    }
    return true;
}

bool exists(const std::string& path)
{
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

Disk::Disk(SandboxKey which) : name{std::move(which)}, base_file{make_base(folder.path / "base")}
{
    files.create(name, cow_size);
    base = loops.attach(base_file.get(), LoopDevices::Access::ReadOnly, "banger-" + name.str());
    const auto cow_file = files.open(name);
    cow = loops.attach(cow_file.get(), LoopDevices::Access::ReadWrite, "banger-" + name.str());
}

Disk::~Disk() { dm.remove(name); }

}  // namespace banger::broker::test

int main(int argc, char** argv)
{
    ::testing::InitGoogleTest(&argc, argv);
    ::setenv("TMPDIR", "/var/tmp", 1);  // the workstation's ext4
    std::filesystem::create_directories(banger::broker::test::marks);
    return RUN_ALL_TESTS();
}
