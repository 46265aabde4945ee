// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output_file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.hpp"
#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli {
namespace {

using Existing = OutputFile::Existing;

/// From now on, in this process: as FAT has it, which has no nameless files and no second names, or NFS, where no rename is told to replace nothing.
enum class Missing { Links, Renames };
void do_without(Missing missing)
{
    auto* filter = ::seccomp_init(SCMP_ACT_ALLOW);
    const auto refuse = [filter](int code, int call) {
        return ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(code)), call, 0) == 0;
    };
    constexpr scmp_datum_t nameless = O_TMPFILE;
    const auto flags = SCMP_A2(SCMP_CMP_MASKED_EQ, nameless, nameless);
    bool is_set = ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(openat), 1, flags) == 0;
    if (missing == Missing::Links) {
        is_set = is_set && refuse(EPERM, SCMP_SYS(link)) && refuse(EPERM, SCMP_SYS(linkat));
    } else {
        is_set = is_set && refuse(EINVAL, SCMP_SYS(renameat2));
    }
    if (!is_set || ::seccomp_load(filter) < 0) {
        std::_Exit(2);
    }
}

class OutputFileTest : public testing::Test {
protected:
    static void write_to(const OutputFile& file, const std::string& text)
    {
        EXPECT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    std::string content() const
    {
        std::ifstream stream{path};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    std::size_t files() const
    {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{scratch.path()}, {}));
    }
    static ErrorCode refusal(const std::filesystem::path& name, Existing existing)
    {
        try {
            const OutputFile file{name, existing};
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    }

    ScratchFolder scratch;
    std::filesystem::path path = scratch / "archive";
};

TEST_F(OutputFileTest, IsThereOnceItIsWholeAndForItsOwnerAlone)
{
    ::umask(0);
    OutputFile file{path, Existing::Refuse};
    write_to(file, "whole");
    EXPECT_FALSE(std::filesystem::exists(path));
    file.commit();
    ::umask(022);
    EXPECT_EQ(content(), "whole");
    EXPECT_EQ(files(), 1U);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_EQ(status.st_nlink, 1U);
}

TEST_F(OutputFileTest, OneThatIsGivenUpLeavesNothing)
{
    {
        const OutputFile file{path, Existing::Refuse};
        write_to(file, "half");
    }
    EXPECT_EQ(files(), 0U);
}

TEST_F(OutputFileTest, WhatIsThereStaysUnlessItIsToGo)
{
    write_file(path, "before");
    EXPECT_EQ(refusal(path, Existing::Refuse), ErrorCode::AlreadyExists);
    OutputFile file{path, Existing::Replace};
    write_to(file, "after");
    EXPECT_EQ(content(), "before");
    file.commit();
    EXPECT_EQ(content(), "after");
    EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFileTest, WhatHasComeMeanwhileStays)
{
    OutputFile file{path, Existing::Refuse};
    write_file(path, "quicker");
    EXPECT_THROW(file.commit(), Error);
    EXPECT_EQ(content(), "quicker");
}

TEST_F(OutputFileTest, AFailedCommitLeavesNoDraft)
{
    {
        OutputFile file{path, Existing::Refuse};
        write_file(path, "quicker");
        EXPECT_THROW(file.commit(), Error);
    }
    EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFileTest, WhatHasTheNameOfADraftIsInNobodysWay)
{
    std::filesystem::create_directory(scratch /
                                      ".archive.new");  // in /tmp, another user's, who wants it to fail at its end
    for (const auto existing : {Existing::Refuse, Existing::Replace}) {
        OutputFile file{path, existing};
        write_to(file, "whole");
        file.commit();
        EXPECT_EQ(content(), "whole");
    }
    EXPECT_EQ(files(), 2U);
}

TEST_F(OutputFileTest, APathMeansWhatItMeansToTheKernel)
{
    std::filesystem::create_directories(scratch / "far/away");
    std::filesystem::create_directory_symlink(scratch / "far/away", scratch / "link");
    OutputFile file{scratch / "link/../archive", Existing::Refuse};
    write_to(file, "whole");
    file.commit();
    EXPECT_TRUE(std::filesystem::exists(scratch / "far/archive"));
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(OutputFileTest, AFileSystemWithoutLinksOrSuchRenamesWillDo)
{
    for (const auto missing : {Missing::Links, Missing::Renames}) {
        const auto write_whole = [&] {
            do_without(missing);
            OutputFile file{path, Existing::Refuse};
            write_to(file, "whole");
            const bool was_hidden = !std::filesystem::exists(path) && files() == 1;
            file.commit();
            bool taken = false;
            try {
                const OutputFile second{path, Existing::Refuse};
            } catch (const Error& error) {
                taken = error.code() == ErrorCode::AlreadyExists;
            }
            std::_Exit(was_hidden && taken ? EXIT_SUCCESS : EXIT_FAILURE);
        };
        EXPECT_EXIT(write_whole(), testing::ExitedWithCode(EXIT_SUCCESS), "");
        EXPECT_EQ(content(), "whole");
        EXPECT_EQ(files(), 1U);
        std::filesystem::remove(path);
    }
}

TEST_F(OutputFileTest, WithoutNamelessFilesADraftIsOneWritersAndADeadOneGoes)
{
    const auto write_two = [&] {
        do_without(Missing::Renames);
        write_file(scratch / ".archive.new", "of one that was killed");
        OutputFile file{path, Existing::Refuse};
        write_to(file, "whole");
        const bool is_held = refusal(path, Existing::Refuse) == ErrorCode::InUse;
        file.commit();
        std::_Exit(is_held ? EXIT_SUCCESS : EXIT_FAILURE);
    };
    EXPECT_EXIT(write_two(), testing::ExitedWithCode(EXIT_SUCCESS), "");
    EXPECT_EQ(content(), "whole");
    EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFileTest, OnlyARegularFileIsWritten)
{
    EXPECT_EQ(refusal("/dev/null", Existing::Replace), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal(scratch.path(), Existing::Replace), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal(scratch / "no/such/folder", Existing::Refuse), ErrorCode::NotFound);
}

}  // namespace
}  // namespace banger::cli
