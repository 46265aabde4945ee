// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/workspace/changes.hpp"
#include "cli/workspace/snapshot.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli {

/// A user with a repository, and a folder that plays the guest's /root. Settings of the machine's own user have no part in it.
class RepositoryTest : public testing::Test {
protected:
    RepositoryTest()
    {
        for (const char* folder : {"home", "guest", "tree"}) {
            std::filesystem::create_directory(scratch / folder);
        }
        set("HOME", scratch / "home");
        set("XDG_CACHE_HOME", scratch / "home/.cache");
        set("XDG_CONFIG_HOME", scratch / "home/.config");
        set("GIT_CONFIG_NOSYSTEM", "1");
        set("GIT_CONFIG_GLOBAL", scratch / "home/.gitconfig");
        git({"init", "-q", "-b", "trunk"});
        git({"config", "user.name", "Ann Other"});
        git({"config", "user.email", "ann@example.org"});
    }
    ~RepositoryTest() override
    {
        for (const auto& [name, value] : before_) {
            value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
        }
    }

    std::string git(const std::vector<std::string>& words) const { return Git{tree()}.run(words).value(); }
    std::filesystem::path tree() const { return scratch / "tree"; }
    std::filesystem::path guest(const std::string& name = "") const
    {
        return name.empty() ? scratch / "guest/repo" : scratch / "guest/repo" / name;
    }

    /// Writes files (name and contents) and commits them.
    void commit(const std::vector<std::pair<std::string, std::string>>& files) const
    {
        for (const auto& [name, text] : files) {
            std::filesystem::create_directories((tree() / name).parent_path());
            write_file(tree() / name, text);
            git({"add", "--", name});
        }
        git({"commit", "-q", "--allow-empty", "-m", "a commit"});
    }

    /// What prepare does but for the VM between.
    Snapshot prepare(const SnapshotOptions& options = {})
    {
        auto snapshot = take_snapshot(tree(), options);
        {
            const UniqueFd file{::open((scratch / "sent").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)};
            pack_lists(file.get(), snapshot.lists, [](std::size_t) {});
        }
        const UniqueFd file{::open((scratch / "sent").c_str(), O_RDONLY | O_CLOEXEC)};
        unpack(file.get(), scratch / "guest", {}, Owners::Archive, [](std::size_t) {});
        keep_base(snapshot.tree, "vm", snapshot.base.commit);
        return snapshot;
    }

    /// What export does but for the VM between.
    Changes bring_back()
    {
        {
            const UniqueFd file{::open((scratch / "back").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)};
            pack(file.get(), guest(), {"repo", "repo"}, Owners::Receiver, SourceLinks::Keep, [](std::size_t) {});
        }
        const UniqueFd file{::open((scratch / "back").c_str(), O_RDONLY | O_CLOEXEC)};
        folder_ = std::make_unique<WorkFolder>(scratch / "work");
        unpack_to_inspect(file.get(), *folder_ / "", {"repo", "files"}, guest_files(), [](std::size_t) {});
        found_ = find_work_tree(tree());
        return {found_, find_base(found_, "vm", "calm-otter"), *folder_ / "files", *folder_};
    }

    std::string patch_of(const Changes& changes) const
    {
        {
            const UniqueFd file{::open((scratch / "patch").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)};
            changes.write_patch(file.get());
        }
        return read_file(scratch / "patch");
    }

    template <typename Work>
    static ErrorCode refusal(Work&& work, const std::string& words = "")
    {
        try {
            work();
            ADD_FAILURE() << "it went well";
            return ErrorCode::Internal;
        } catch (const Error& error) {
            EXPECT_NE(std::string{error.what()}.find(words), std::string::npos) << error.what();
            return error.code();
        }
    }

    ScratchFolder scratch;

private:
    void set(const char* name, const std::string& value)
    {
        const char* old = std::getenv(name);
        before_.emplace_back(name, old != nullptr ? old : "");
        ::setenv(name, value.c_str(), 1);
    }

    std::vector<std::pair<std::string, std::string>> before_;
    std::unique_ptr<WorkFolder> folder_;
    WorkTree found_;
};

}  // namespace banger::cli
