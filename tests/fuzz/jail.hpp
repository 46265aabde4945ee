// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {

/// A folder to unpack into, three levels below one that is watched: ROOT/a/b/jail, beside ROOT/a/b/outside/canary. What is unpacked by
/// root is unpacked as nobody, lest a hole that is found be a hole in this machine.
class Jail {
public:
    Jail() : root_{(std::filesystem::temp_directory_path() / "banger-fuzz-XXXXXX").string()}
    {
        demand(::mkdtemp(root_.data()) != nullptr, "there is a place for temporary files");
        std::filesystem::create_directories(jail());
        std::filesystem::create_directory(outside());
        std::ofstream{canary()} << "alive";
        for (const auto& path : {std::filesystem::path{root_}, jail().parent_path(), jail(), outside(), canary()}) {
            hand_over(path);
        }
        before_ = seen();
        const rlimit small_files{std::size_t{1} << 24U, std::size_t{1} << 24U};
        ::setrlimit(RLIMIT_FSIZE, &small_files);
        std::signal(SIGXFSZ, SIG_IGN);  // NOLINT(cert-err33-c): then writing fails
    }
    Jail(const Jail&) = delete;
    Jail& operator=(const Jail&) = delete;
    ~Jail() { std::filesystem::remove_all(root_); }

    std::filesystem::path jail() const { return std::filesystem::path{root_} / "a/b/jail"; }

    /// Calls unpack(fd of the tar stream), which may change the working directory and the umask.
    template <typename Unpack>
    void run(ByteView tar, Unpack&& unpack)
    {
        const UniqueFd file{::memfd_create("tar", MFD_CLOEXEC)};
        demand(file && ::write(file.get(), tar.data(), tar.size()) == static_cast<ssize_t>(tar.size()), "a tar stream");
        ::lseek(file.get(), 0, SEEK_SET);
        const UniqueFd here{::open(".", O_PATH | O_CLOEXEC)};
        const auto mask = ::umask(022);
        become(nobody);
        unpack(file.get());
        become(0);
        ::umask(mask);
        demand(seen() == before_, "nothing comes, goes or changes outside of the folder");
        demand(::access(elsewhere, F_OK) != 0, "nor at an absolute name");
        demand(::chdir(jail().c_str()) == 0, "the folder itself is still there");
        remove_here();
        demand(::fchdir(here.get()) == 0, "the way back");
        ::chmod(jail().c_str(), 0755);
    }

private:
    static constexpr unsigned nobody = 65534;
    static constexpr auto elsewhere = "/outside";  // what TarMaker's absolute names begin with

    std::filesystem::path outside() const { return jail().parent_path() / "outside"; }
    std::filesystem::path canary() const { return outside() / "canary"; }

    static bool is_root() { return ::getuid() == 0; }
    static void hand_over(const std::filesystem::path& path)
    {
        demand(!is_root() || ::chown(path.c_str(), nobody, nobody) == 0, "nobody can have it");
    }
    static void become(unsigned id)
    {
        if (is_root()) {
            demand(id == 0 ? ::seteuid(0) == 0 && ::setegid(0) == 0 : ::setegid(id) == 0 && ::seteuid(id) == 0,
                   "switch");
        }
    }

    static std::string state_of(const std::filesystem::path& path)
    {
        struct stat status {};
        demand(::lstat(path.c_str(), &status) == 0, "what was there is there");
        const bool is_folder = S_ISDIR(status.st_mode);
        return path.string() + " " + std::to_string(status.st_mode) + " " + std::to_string(status.st_uid) + " " +
               std::to_string(status.st_nlink) + " " + std::to_string(is_folder ? 0 : status.st_size) + " " +
               std::to_string(is_folder ? 0 : status.st_mtim.tv_sec);
    }
    /// All but what is in the jail.
    std::set<std::string> seen() const
    {
        std::set<std::string> all;
        for (auto at = std::filesystem::recursive_directory_iterator{root_};
             at != std::filesystem::recursive_directory_iterator{}; ++at) {
            if (at->path() == jail()) {
                at.disable_recursion_pending();
                all.insert(at->path());
            } else {
                all.insert(state_of(at->path()));
            }
        }
        std::string text;
        std::ifstream{canary()} >> text;
        all.insert(text);
        return all;
    }

    /// Empties the working directory; by single steps, as names may be longer than a path may be.
    static void remove_here()
    {
        std::vector<std::string> names;
        ::chmod(".", 0700);
        auto* folder = ::opendir(".");
        demand(folder != nullptr, "a folder can be read");
        for (const auto* entry = ::readdir(folder); entry != nullptr; entry = ::readdir(folder)) {
            const std::string name = static_cast<const char*>(entry->d_name);
            if (name != "." && name != "..") {
                names.push_back(name);
            }
        }
        ::closedir(folder);
        for (const auto& name : names) {
            if (::unlink(name.c_str()) == 0) {
                continue;
            }
            ::chmod(name.c_str(), 0700);
            demand(::chdir(name.c_str()) == 0, "a folder can be entered");
            remove_here();
            demand(::chdir("..") == 0 && ::rmdir(name.c_str()) == 0, "a folder can be removed");
        }
    }

    std::string root_;
    std::set<std::string> before_;
};

}  // namespace banger::fuzz
