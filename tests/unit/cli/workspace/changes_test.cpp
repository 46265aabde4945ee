// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/changes.hpp"

#include <sys/stat.h>

#include "tests/unit/cli/workspace/repository.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

class ChangesTest : public RepositoryTest {
protected:
    /// Applies what changed to the user's own tree, as the user would.
    void apply()
    {
        const auto patch = patch_of(bring_back());
        ASSERT_FALSE(patch.empty());
        git({"apply", (scratch / "patch").string()});
    }
};

TEST_F(ChangesTest, NothingChangedIsAnEmptyPatch)
{
    commit({{"a", "1"}, {"n\nl", "2"}});
    prepare();
    const auto changes = bring_back();
    EXPECT_TRUE(changes.none());
    EXPECT_EQ(patch_of(changes), "");
}

TEST_F(ChangesTest, APatchBringsEveryKindOfChangeBack)
{
    commit({{"a", "1\n"}, {"gone", "x\n"}, {"run", "#!\n"}, {"n\nl", "x\n"}, {"link", "x"}, {".gitignore", "*.o\n"}});
    write_file(tree() / "a", "1\n2\n");
    prepare();
    write_file(guest("a"), "1\n2\n3\n");
    write_file(guest("n\nl"), "y\n");
    write_file(guest("binary"), std::string{"\0\1\2\xff", 4});
    write_file(guest("made.o"), "ignored");
    fs::remove(guest("gone"));
    fs::remove(guest("link"));
    fs::create_symlink("a", guest("link"));
    fs::permissions(guest("run"), fs::perms{0755});
    apply();
    EXPECT_EQ(read_file(tree() / "a"), "1\n2\n3\n");
    EXPECT_EQ(read_file(tree() / "n\nl"), "y\n");
    EXPECT_EQ(read_file(tree() / "binary"), (std::string{"\0\1\2\xff", 4}));
    EXPECT_FALSE(fs::exists(tree() / "made.o"));
    EXPECT_FALSE(fs::exists(tree() / "gone"));
    EXPECT_EQ(fs::read_symlink(tree() / "link"), "a");
    EXPECT_EQ(mode_of(tree() / "run") & S_IXUSR, mode_t{S_IXUSR});
}

TEST_F(ChangesTest, AnIgnoreRuleOfTheGuestHoldsAndTrackedFilesStay)
{
    commit({{"kept.log", "1"}, {".gitignore", "*.log\n"}, {"a", "1"}});
    git({"add", "-f", "kept.log"});
    git({"commit", "-q", "--allow-empty", "-m", "forced"});
    prepare();
    write_file(guest(".gitignore"), "*.log\nout/\n");
    write_file(guest("kept.log"), "2");
    fs::create_directory(guest("out"));
    write_file(guest("out/big"), "x");
    const auto patch = patch_of(bring_back());
    EXPECT_NE(patch.find("b/kept.log"), std::string::npos);
    EXPECT_EQ(patch.find("out/big"), std::string::npos);
}

TEST_F(ChangesTest, APatchLeavesNoTraceInTheRepository)
{
    commit({{"a", "1"}});
    prepare();
    write_file(guest("a"), "2");
    const auto before = git({"count-objects", "-v"});
    const auto index = read_file(tree() / ".git/index");
    patch_of(bring_back());
    EXPECT_EQ(git({"count-objects", "-v"}), before);
    EXPECT_EQ(read_file(tree() / ".git/index"), index);
}

TEST_F(ChangesTest, ABranchIsOneCommitOnTopOfTheUsersOwn)
{
    commit({{"a", "1"}, {"b", "1"}});
    prepare();
    write_file(guest("a"), "2");
    write_file(guest("new"), "n");
    const auto index = read_file(tree() / ".git/index");
    const auto made = bring_back().make_branch("try", "what was done\n", false);
    EXPECT_EQ(git({"rev-parse", "try"}), made);
    EXPECT_EQ(git({"rev-parse", "try^"}), git({"rev-parse", "trunk"}));
    EXPECT_EQ(git({"show", "try:a"}), "2");
    EXPECT_EQ(git({"show", "try:new"}), "n");
    EXPECT_EQ(git({"log", "-1", "--format=%an %s", "try"}), "Ann Other what was done");
    EXPECT_EQ(git({"fsck", "--strict", "--no-dangling"}), "");
    EXPECT_EQ(read_file(tree() / ".git/index"), index);
    EXPECT_EQ(git({"status", "--porcelain"}), "");
}

TEST_F(ChangesTest, UncommittedChangesAreACommitOfTheirOwnBelowTheBranch)
{
    commit({{"a", "1"}, {"b", "1"}});
    write_file(tree() / "b", "mine");
    prepare();
    write_file(guest("a"), "2");
    bring_back().make_branch("try", "m\n", false);
    EXPECT_EQ(git({"rev-parse", "try^^"}), git({"rev-parse", "trunk"}));
    EXPECT_EQ(git({"diff", "--name-only", "try^", "try"}), "a");
    EXPECT_EQ(git({"show", "try^:b"}), "mine");
}

TEST_F(ChangesTest, ABranchKeepsWhatNeverWentToTheGuest)
{
    commit({{"here/a", "1"}, {"there/b", "1"}});
    fs::create_directory(tree() / "module");
    Git{tree() / "module"}.run({"init", "-q"});
    Git{tree() / "module"}.run(
        {"-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "m"});
    git({"add", "module"});
    git({"commit", "-q", "-m", "module"});
    git({"sparse-checkout", "set", "here"});
    prepare();
    write_file(guest("here/a"), "2");
    bring_back().make_branch("try", "m\n", false);
    EXPECT_EQ(git({"diff", "--name-only", "trunk", "try"}), "here/a");
    EXPECT_EQ(git({"rev-parse", "try^"}), git({"rev-parse", "trunk"}));
}

TEST_F(ChangesTest, ARepositoryWithoutCommitsGetsABranch)
{
    write_file(tree() / "a", "1");
    git({"add", "a"});
    prepare();
    write_file(guest("a"), "2");
    bring_back().make_branch("try", "m\n", false);
    EXPECT_EQ(git({"show", "try:a"}), "2");
    EXPECT_EQ(git({"show", "try^:a"}), "1");
}

TEST_F(ChangesTest, ABranchThatIsThereIsReplacedOnlyByForceAndNeverUnderAUser)
{
    commit({{"a", "1"}});
    git({"branch", "old"});
    prepare();
    write_file(guest("a"), "2");
    const auto changes = bring_back();
    EXPECT_EQ(refusal([&] { changes.make_branch("old", "m\n", false); }, "--force"), ErrorCode::AlreadyExists);
    EXPECT_EQ(refusal([&] { changes.make_branch("trunk", "m\n", true); }, "checked out"), ErrorCode::WrongState);
    EXPECT_EQ(refusal([&] { changes.make_branch("--help", "m\n", true); }), ErrorCode::InvalidArgument);
    changes.make_branch("old", "m\n", true);
    EXPECT_EQ(git({"show", "old:a"}), "2");
}

TEST_F(ChangesTest, ManyObjectsComeAsOnePack)
{
    commit({{"a", "1"}});
    prepare();
    std::string noise;
    for (unsigned state = 1; noise.size() < (2U << 20U);) {
        state = state * 1664525U + 1013904223U;
        noise += static_cast<char>(state >> 24U);
    }
    write_file(guest("noise"), noise);
    bring_back().make_branch("try", "m\n", false);
    EXPECT_EQ(git({"cat-file", "-s", "try:noise"}), std::to_string(noise.size()));
    EXPECT_EQ(git({"fsck", "--strict", "--no-dangling"}), "");
}

/// A guest that would like this host to run something.
TEST_F(ChangesTest, NothingThatAGuestSendsRuns)
{
    const auto trap = "touch " + (scratch / "ran").string();
    commit({{"a", "1"}});
    write_file(scratch / "home/.gitconfig", "[filter \"trap\"]\n\tclean = " + trap + " && cat\n\tsmudge = " + trap +
                                                " && cat\n\trequired = true\n[diff \"trap\"]\n\ttextconv = " + trap +
                                                " && cat\n\tcommand = " + trap + "\n");
    prepare();
    write_file(guest(".gitattributes"), "* filter=trap diff=trap\n");
    write_file(guest("a"), "2");
    const auto config = "[core]\n\tfsmonitor = " + trap + "\n[filter \"trap\"]\n\tclean = " + trap + "\n";
    write_file(guest(".git/config"), config);
    fs::create_directories(guest("nested/.GIT/hooks"));
    write_file(guest("nested/.GIT/config"), config);
    fs::create_directories(guest("module/.git"));
    write_file(guest("module/.git/HEAD"), "ref: refs/heads/main\n");
    write_file(guest("module/.git/config"), config);
    write_file(guest("module/inside"), "x");
    fs::create_symlink("/etc", guest("git~1"));
    const auto changes = bring_back();
    const auto patch = patch_of(changes);
    EXPECT_NE(patch.find("b/module/inside"), std::string::npos) << patch;
    EXPECT_NE(patch.find("+2"), std::string::npos);
    EXPECT_EQ(patch.find("160000"), std::string::npos) << "no submodule";
    EXPECT_EQ(patch.find("fsmonitor"), std::string::npos) << "no file of a repository";
    changes.make_branch("try", "m\n", false);
    EXPECT_FALSE(fs::exists(scratch / "ran"));
}

TEST_F(ChangesTest, ALinkInAGuestIsALinkAndNotWhatItLeadsTo)
{
    commit({{"a", "1"}});
    write_file(scratch / "secret", "do not tell");
    prepare();
    fs::create_symlink(scratch / "secret", guest("stolen"));
    fs::create_directory_symlink(scratch / "home", guest("house"));
    fs::create_symlink("/no/such", guest(".gitignore"));
    const auto patch = patch_of(bring_back());
    EXPECT_EQ(patch.find("do not tell"), std::string::npos);
    EXPECT_NE(patch.find("new file mode 120000"), std::string::npos);
}

TEST_F(ChangesTest, AGuestThatSendsALinkForTheWholeWorkspaceIsRefused)
{
    commit({{"a", "1"}});
    prepare();
    fs::remove_all(guest());
    fs::create_directory_symlink(tree(), scratch / "guest/repo");
    EXPECT_EQ(refusal([this] { bring_back(); }, "no folder"), ErrorCode::CorruptData);
}

TEST_F(ChangesTest, AFileBehindAFilterIsTheSameWhileItsBytesAre)
{
    write_file(scratch / "home/.gitconfig", "[filter \"caps\"]\n\tclean = tr a-z A-Z\n\tsmudge = tr A-Z a-z\n");
    commit({{".gitattributes", "*.caps filter=caps\n"}, {"one.caps", "abc"}, {"two.caps", "def"}});
    EXPECT_EQ(git({"show", "HEAD:one.caps"}), "ABC");
    prepare();
    EXPECT_EQ(read_file(guest("one.caps")), "abc");
    EXPECT_TRUE(bring_back().none());
    write_file(guest("two.caps"), "new");
    const auto changes = bring_back();
    EXPECT_EQ(changes.unfiltered(), std::vector<std::string>{"two.caps"});
    EXPECT_EQ(patch_of(changes).find("one.caps"), std::string::npos);
}

TEST_F(ChangesTest, LineEndingsOfTheUsersChoiceAreNoChange)
{
    git({"config", "core.autocrlf", "true"});
    commit({{"a", "one\r\ntwo\r\n"}});
    prepare();
    EXPECT_TRUE(bring_back().none());
}

TEST_F(ChangesTest, ModesThatTheGuestTookAwayHideNothing)
{
    commit({{"dir/a", "1"}});
    prepare();
    write_file(guest("dir/a"), "2");
    fs::permissions(guest("dir/a"), fs::perms{0200} | fs::perms::owner_read);
    EXPECT_NE(patch_of(bring_back()).find("+2"), std::string::npos);
}

TEST_F(ChangesTest, ATreeThatWasNeverCopiedIsNamed)
{
    commit({{"a", "1"}});
    const auto found = find_work_tree(tree());
    EXPECT_EQ(refusal([&] { find_base(found, "vm", "calm-otter"); }, "calm-otter"), ErrorCode::NotFound);
}

}  // namespace
}  // namespace banger::cli
