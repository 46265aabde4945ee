// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace banger::cli {

/// A folder for one test; unpacking changes the working directory, which is put back.
class ScratchFolder {
public:
    ScratchFolder() : before_{std::filesystem::current_path()}
    {
        std::string name = testing::TempDir() + "copy-XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder()
    {
        std::filesystem::current_path(before_);
        std::filesystem::remove_all(path_);
    }

    const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path operator/(const char* name) const { return path_ / name; }

private:
    std::filesystem::path before_;
    std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, const std::string& text) { std::ofstream{path} << text; }

inline std::string read_file(const std::filesystem::path& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

inline mode_t mode_of(const std::filesystem::path& path)
{
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

}  // namespace banger::cli
