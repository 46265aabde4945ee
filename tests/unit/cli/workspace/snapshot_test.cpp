// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/snapshot.hpp"

#include <sys/stat.h>

#include <set>

#include "tests/unit/cli/workspace/repository.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public RepositoryTest {
protected:
    /// What git says of the guest's copy, with the settings that came with it.
    std::string guest_git(const std::vector<std::string>& words) const { return Git{guest()}.run(words).value(); }
    static std::set<std::string> names_of(const Snapshot& snapshot)
    {
        return {snapshot.lists.front().names.begin(), snapshot.lists.front().names.end()};
    }
};

TEST_F(SnapshotTest, TakesTrackedFilesAsTheyAreNow)
{
    commit({{"kept", "1"}, {"changed", "1"}, {"deleted", "1"}, {"sub/deep/run", "#!"}, {".gitignore", "ignored\n"}});
    write_file(tree() / "changed", "2");
    write_file(tree() / "ignored", "x");
    write_file(tree() / "untracked", "x");
    fs::remove(tree() / "deleted");
    fs::permissions(tree() / "sub/deep/run", fs::perms{0750});
    fs::create_symlink("/etc/passwd", tree() / "out");
    git({"add", "out"});
    prepare();
    EXPECT_EQ(read_file(guest("changed")), "2");
    EXPECT_FALSE(fs::exists(guest("deleted")));
    EXPECT_FALSE(fs::exists(guest("ignored")));
    EXPECT_FALSE(fs::exists(guest("untracked")));
    EXPECT_EQ(mode_of(guest("sub/deep/run")), 0750U);
    EXPECT_EQ(fs::read_symlink(guest("out")), "/etc/passwd");
}

TEST_F(SnapshotTest, TakesUntrackedFilesWhereThatIsWanted)
{
    commit({{"a", "1"}, {".gitignore", "ignored\n"}});
    write_file(tree() / "ignored", "x");
    write_file(tree() / "untracked", "x");
    EXPECT_EQ(names_of(prepare({.untracked = true})), (std::set<std::string>{".gitignore", "a", "untracked"}));
}

TEST_F(SnapshotTest, LeavesTheWorkTreeAndItsIndexAlone)
{
    commit({{"a", "1"}, {"b", "1"}});
    write_file(tree() / "a", "staged");
    git({"add", "a"});
    write_file(tree() / "a", "not staged");
    write_file(tree() / "new", "x");
    const auto index = read_file(tree() / ".git/index");
    const auto status = git({"status", "--porcelain"});
    prepare({.untracked = true});
    EXPECT_EQ(read_file(tree() / ".git/index"), index);
    EXPECT_EQ(git({"status", "--porcelain"}), status);
    EXPECT_EQ(git({"for-each-ref", "--format=%(refname)", "refs/heads/"}), "refs/heads/trunk");
}

TEST_F(SnapshotTest, TheGuestStandsOnTheVeryCommitOfACleanTree)
{
    commit({{"a", "1"}});
    commit({{"a", "2"}});
    prepare();
    EXPECT_EQ(guest_git({"rev-parse", "HEAD"}), git({"rev-parse", "HEAD"}));
    EXPECT_EQ(guest_git({"symbolic-ref", "--short", "HEAD"}), "trunk");
    EXPECT_EQ(guest_git({"rev-list", "--count", "HEAD"}), "1");
    EXPECT_EQ(guest_git({"status", "--porcelain"}), "");
    EXPECT_EQ(guest_git({"fsck", "--full"}), "");
    EXPECT_EQ(guest_git({"config", "user.email"}), "ann@example.org");
}

TEST_F(SnapshotTest, TheGuestStandsOnACommitOfItsOwnForAChangedTree)
{
    commit({{"a", "1"}});
    write_file(tree() / "a", "2");
    const auto snapshot = prepare({.branch = "try"});
    EXPECT_EQ(guest_git({"rev-parse", "HEAD"}), snapshot.base.commit);
    EXPECT_EQ(guest_git({"symbolic-ref", "--short", "HEAD"}), "try");
    EXPECT_EQ(guest_git({"status", "--porcelain"}), "");
    EXPECT_EQ(guest_git({"fsck", "--full"}), "");
}

TEST_F(SnapshotTest, TakesTheFilesOfACommit)
{
    commit({{"a", "1"}, {"gone", "x"}});
    git({"tag", "old"});
    commit({{"a", "2"}});
    git({"rm", "-q", "gone"});
    write_file(tree() / "a", "3");
    prepare({.from = "old"});
    EXPECT_EQ(read_file(guest("a")), "1");
    EXPECT_TRUE(fs::exists(guest("gone")));
    EXPECT_EQ(guest_git({"rev-parse", "HEAD"}), git({"rev-parse", "old"}));
    EXPECT_EQ(guest_git({"symbolic-ref", "--short", "HEAD"}), "main");
    EXPECT_EQ(read_file(tree() / "a"), "3");
}

TEST_F(SnapshotTest, TakesNamesThatAreNoText)
{
    commit({{"n\nl", "1"}, {"\xff\xfe", "2"}, {"\"quoted\\", "3"}, {" tab\t", "4"}});
    prepare();
    EXPECT_EQ(read_file(guest("n\nl")), "1");
    EXPECT_EQ(read_file(guest("\xff\xfe")), "2");
    EXPECT_EQ(read_file(guest("\"quoted\\")), "3");
    EXPECT_EQ(read_file(guest(" tab\t")), "4");
    EXPECT_EQ(guest_git({"status", "--porcelain"}), "");
}

TEST_F(SnapshotTest, ATreeWithoutCommitsGoesOver)
{
    write_file(tree() / "a", "1");
    EXPECT_EQ(refusal([this] { prepare(); }, "--include-untracked"), ErrorCode::InvalidArgument);
    prepare({.untracked = true});
    EXPECT_EQ(read_file(guest("a")), "1");
    EXPECT_EQ(guest_git({"status", "--porcelain"}), "");
}

TEST_F(SnapshotTest, LeavesSubmodulesOut)
{
    commit({{"a", "1"}});
    fs::create_directory(tree() / "module");
    Git{tree() / "module"}.run({"init", "-q"});
    Git{tree() / "module"}.run(
        {"-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "m"});
    write_file(tree() / "module/inside", "x");
    git({"add", "module"});
    const auto snapshot = prepare();
    EXPECT_EQ(snapshot.left_out, std::vector<std::string>{"module"});
    EXPECT_FALSE(fs::exists(guest("module")));
    EXPECT_EQ(guest_git({"status", "--porcelain"}), "");
}

TEST_F(SnapshotTest, DoesWithoutWhatASparseCheckoutLeavesOut)
{
    commit({{"here/a", "1"}, {"there/b", "1"}});
    git({"sparse-checkout", "set", "here"});
    ASSERT_FALSE(fs::exists(tree() / "there/b"));
    prepare();
    EXPECT_EQ(read_file(guest("here/a")), "1");
    EXPECT_FALSE(fs::exists(guest("there")));
    EXPECT_EQ(guest_git({"status", "--porcelain"}), "");
}

TEST_F(SnapshotTest, NeverReadsThroughALinkThatTookAFoldersPlace)
{
    commit({{"dir/secret", "tracked"}});
    fs::create_directory(scratch / "outside");
    write_file(scratch / "outside/secret", "outside");
    fs::remove_all(tree() / "dir");
    fs::create_symlink(scratch / "outside", tree() / "dir");
    write_file(tree() / "other", "x");
    git({"add", "other"});
    prepare();
    EXPECT_FALSE(fs::exists(guest("dir")));
}

TEST_F(SnapshotTest, ALinkedWorkTreeAndAFolderBelowTheTopDo)
{
    commit({{"a", "1"}, {"sub/b", "1"}});
    git({"worktree", "add", "-q", "-b", "second", (scratch / "linked").string()});
    write_file(scratch / "linked/a", "2");
    const auto snapshot = take_snapshot(scratch / "linked/sub", {});
    EXPECT_EQ(snapshot.tree.root, (scratch / "linked").string());
    EXPECT_EQ(snapshot.tree.branch, "second");
    EXPECT_EQ(names_of(snapshot), (std::set<std::string>{"a", "sub/b"}));
}

TEST_F(SnapshotTest, RefusesWhatIsNoWorkTree)
{
    fs::create_directory(scratch / "plain");
    Git{scratch.path()}.run({"init", "-q", "--bare", "bare"});
    const auto take = [this](const char* name) { take_snapshot(scratch / name, {}); };
    EXPECT_EQ(refusal([&] { take("no-such"); }, "behind --"), ErrorCode::NotFound);
    EXPECT_EQ(refusal([&] { take("plain"); }, "no git work tree"), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal([&] { take("bare"); }, "bare"), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal([&] { take("tree/.git"); }, "inside a .git"), ErrorCode::InvalidArgument);
    write_file(scratch / "file", "x");
    EXPECT_EQ(refusal([&] { take("file"); }, "no folder"), ErrorCode::InvalidArgument);
}

TEST_F(SnapshotTest, RefusesABranchThatIsThereAndACommitThatIsNot)
{
    commit({{"a", "1"}});
    EXPECT_EQ(refusal([this] { prepare({.branch = "trunk"}); }), ErrorCode::AlreadyExists);
    EXPECT_EQ(refusal([this] { prepare({.branch = "a..b"}); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal([this] { prepare({.branch = "-x"}); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal([this] { prepare({.from = "no-such"}); }), ErrorCode::NotFound);
    EXPECT_EQ(refusal([this] { prepare({.from = "--all"}); }), ErrorCode::NotFound);
}

TEST_F(SnapshotTest, AnUnreadableFileIsNamedBeforeAnythingIsSent)
{
    if (::geteuid() == 0) {
        GTEST_SKIP() << "root reads everything";
    }
    commit({{"a", "1"}, {"locked", "1"}});
    fs::permissions(tree() / "locked", fs::perms::none);
    EXPECT_EQ(refusal([this] { prepare(); }, "locked"), ErrorCode::Failed);
}

TEST_F(SnapshotTest, WithoutGitItSaysWhatToInstall)
{
    commit({{"a", "1"}});
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (scratch / "home").c_str(), 1);
    EXPECT_EQ(refusal([this] { take_snapshot(tree(), {}); }, "apt install git"), ErrorCode::HostLacks);
    ::setenv("PATH", path.c_str(), 1);
}

TEST_F(SnapshotTest, RunsNoHookAndListensToNoOtherRepository)
{
    commit({{"a", "1"}});
    for (const char* hook : {"post-index-change", "reference-transaction", "pre-commit", "fsmonitor"}) {
        fs::create_directories(tree() / ".git/hooks");
        write_file(tree() / ".git/hooks" / hook, "#!/bin/sh\ntouch " + (scratch / "ran").string() + "\n");
        fs::permissions(tree() / ".git/hooks" / hook, fs::perms::owner_all);
    }
    git({"config", "core.fsmonitor", (tree() / ".git/hooks/fsmonitor").string()});
    ::setenv("GIT_DIR", "/no/such", 1);
    write_file(tree() / "a", "2");
    prepare();
    ::unsetenv("GIT_DIR");
    EXPECT_FALSE(fs::exists(scratch / "ran"));
}

TEST_F(SnapshotTest, NamesWhatChangedSince)
{
    commit({{"a", "1"}, {"b", "1"}});
    const auto snapshot = prepare();
    EXPECT_TRUE(changed_since(snapshot).empty());
    write_file(tree() / "b", "longer");
    EXPECT_EQ(changed_since(snapshot), std::vector<std::string>{"b"});
}

TEST_F(SnapshotTest, TakesItsFoldersAway)
{
    commit({{"a", "1"}});
    prepare();
    EXPECT_TRUE(fs::is_empty(work_folders()));
}

TEST_F(SnapshotTest, ARepositoryThatTakesAnotherFolderForItsWorkTreeIsRefused)
{
    commit({{"a", "1"}});
    git({"config", "core.worktree", scratch / "home"});
    std::filesystem::create_directory(scratch / "home/stranger");
    std::filesystem::rename(tree() / ".git", scratch / "home/stranger/.git");
    EXPECT_EQ(refusal([&] { take_snapshot(scratch / "home/stranger", {}); }, "config --unset core.worktree"),
              ErrorCode::InvalidArgument);
    git({"-C", scratch / "home", "init", "-q"});
    EXPECT_EQ(refusal([&] { take_snapshot(scratch / "home/stranger", {}); }, "core.worktree"),
              ErrorCode::InvalidArgument)
        << "also where that folder is a repository of its own";
}

}  // namespace
}  // namespace banger::cli
