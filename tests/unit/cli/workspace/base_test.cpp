// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/base.hpp"

#include "tests/unit/cli/workspace/repository.hpp"

namespace banger::cli {
namespace {

TEST(Base, ItsMessageSaysWhatIsReadBack)
{
    const Base base{"c0ffee", "try", {{"n\nl", "abc"}, {"big.bin", "def"}}};
    const auto back = parse_base("c0ffee", base_message(base));
    EXPECT_EQ(back.commit, "c0ffee");
    EXPECT_EQ(back.branch, "try");
    EXPECT_EQ(back.filtered, base.filtered);
    EXPECT_EQ(base_message({"c0ffee", "", {}}), "Work tree as it was copied into a VM\n");
}

TEST(Base, WhatIsNotUnderstoodIsLeftOut)
{
    const auto base = parse_base("x", "tree abc\n\nFiltered: \nFiltered: abc\nFiltered: abc def\nBranches: x\n");
    EXPECT_EQ(base.branch, "");
    EXPECT_TRUE(base.filtered.empty());
}

using BaseRefTest = RepositoryTest;

TEST_F(BaseRefTest, OldOnesOfVmsThatAreGoneAreDropped)
{
    commit({{"a", "1"}});
    const auto found = find_work_tree(tree());
    const auto old = found.git()
                         .with("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
                         .run({"commit-tree", "HEAD^{tree}", "-m", "old"})
                         .value();
    for (const char* vm : {"old-and-gone", "old-and-there"}) {
        keep_base(found, vm, old);
    }
    keep_base(found, "young-and-gone", git({"rev-parse", "HEAD"}));
    drop_old_bases(found, {"old-and-there"});
    EXPECT_EQ(git({"for-each-ref", "--format=%(refname)", "refs/banger/"}),
              "refs/banger/old-and-there\nrefs/banger/young-and-gone");
    drop_base(found, "young-and-gone");
    EXPECT_EQ(git({"for-each-ref", "--format=%(refname)", "refs/banger/"}), "refs/banger/old-and-there");
}

}  // namespace
}  // namespace banger::cli
