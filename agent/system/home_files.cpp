// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/home_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/error.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_home_bytes = std::size_t{64} << 20U;
constexpr std::size_t most_home_files = 4096;
constexpr int deepest_home_folder = 16;
constexpr std::uint32_t copied_permissions = 0777;

std::string told(const fs::path& from) { return "file_sync: ~/" + shown(from.string(), 200); }

/// `path` has no link in it any more; one that was put there since is refused, as is a step out of `folder`.
UniqueFd open_beneath(const UniqueFd& folder, const fs::path& path)
{
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    return UniqueFd{static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how))};
}

std::string content_of_home_file(const UniqueFd& file, const fs::path& from, std::size_t room)
{
    std::string text;
    std::array<char, 65536> block{};
    for (;;) {
        const auto got = ::read(file.get(), block.data(), block.size());
        if (got == 0) {
            return text;
        }
        if (got < 0 && errno != EINTR) {
            throw errno_error(told(from) + " can't be read", errno, ErrorCode::NotAuthorized);
        }
        text.append(block.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
        if (text.size() > room) {
            throw Error{ErrorCode::InvalidArgument,
                        told(from) + ": with it the files come to more than 64 MiB; banger vm cp has no such limit"};
        }
    }
}

/// One reading of all tables.
class HomeReader {
public:
    explicit HomeReader(const fs::path& home) : home_{fs::canonical(home)}
    {
        folder_ = UniqueFd{::open(home_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
        if (!folder_) {
            throw errno_error("file_sync: can't open your home, " + home_.string(), errno);
        }
    }

    void take(const fs::path& from, const fs::path& to, std::uint32_t mode, int depth = 0)
    {
        std::error_code problem;
        const auto real = fs::canonical(home_ / from, problem);
        if (problem == std::errc::no_such_file_or_directory || problem == std::errc::not_a_directory) {
            found_.remarks.push_back(told(from) + " is not there");
            return;
        }
        const auto inside = problem ? fs::path{} : real.lexically_relative(home_);
        if (problem) {
            throw Error{ErrorCode::InvalidArgument, told(from) + ": " + problem.message()};
        }
        if (inside.empty() || inside == "." || *inside.begin() == "..") {
            throw Error{ErrorCode::InvalidArgument,
                        told(from) + " is a link that leads out of your home, which is never followed"};
        }
        const auto file = open_beneath(folder_, inside);
        struct stat status {};
        const bool is_socket = !file && errno == ENXIO;  // open(2)
        if (!is_socket && (!file || ::fstat(file.get(), &status) < 0)) {
            throw errno_error(told(from) + " can't be opened", errno, ErrorCode::NotAuthorized);
        }
        if (S_ISDIR(status.st_mode)) {
            take_folder(from, to, mode, depth);
        } else if (S_ISREG(status.st_mode)) {
            take_file(file, status, from, to, mode);
        } else if (depth == 0) {  // a folder may have sockets and pipes
            throw Error{ErrorCode::InvalidArgument, told(from) + " is neither a file nor a folder"};
        }
    }

    HomeFilesFound found() && { return std::move(found_); }

private:
    void take_file(const UniqueFd& file, const struct stat& status, const fs::path& from, const fs::path& to,
                   std::uint32_t mode)
    {
        if (found_.files.size() >= most_home_files) {
            throw Error{ErrorCode::InvalidArgument,
                        told(from) + ": with it there are more than " + std::to_string(most_home_files) + " files"};
        }
        auto content = content_of_home_file(file, from, most_home_bytes - bytes_);
        bytes_ += content.size();
        found_.files.push_back({.to = to,
                                .mode = mode != 0 ? mode : status.st_mode & copied_permissions,
                                .modified = status.st_mtim.tv_sec,
                                .content = std::move(content)});
    }

    void take_folder(const fs::path& from, const fs::path& to, std::uint32_t mode, int depth)
    {
        if (depth >= deepest_home_folder) {
            throw Error{ErrorCode::InvalidArgument, told(from) + ": folders are nested too deep, or a link leads back"};
        }
        std::vector<fs::path> names;
        for (const auto& entry : fs::directory_iterator{home_ / from}) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        for (const auto& name : names) {
            take(from / name, to / name, mode, depth + 1);
        }
    }

    fs::path home_;
    UniqueFd folder_;
    HomeFilesFound found_;
    std::size_t bytes_{0};
};

}  // namespace

HomeFilesFound FilesOfHome::read(const std::vector<FileSync>& syncs) const
{
    if (syncs.empty()) {
        return {};
    }
    HomeReader reader{home_};
    for (const auto& sync : syncs) {
        reader.take(sync.from, sync.to, sync.mode);
    }
    return std::move(reader).found();
}

}  // namespace banger::agent
