// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/stages.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

TEST(StagesTest, TheFirstTimeOfAStageStays)
{
    Stages stages;
    EXPECT_FALSE(stages.has("root"));
    stages.reached("root");
    const auto first = stages.times().at("root");
    EXPECT_LE(first, boot_milliseconds());
    stages.reached("root");
    EXPECT_EQ(stages.times().at("root"), first);
}

TEST(StagesTest, TheyPassToTheNextProgramInAFile)
{
    pass_in_namespaces(CLONE_NEWNS, [] {
        mount_small_disk("/run", 1 << 16);
        EXPECT_TRUE(Stages::load().times().empty());
        std::filesystem::create_directory(run_folder);
        Stages stages;
        stages.reached("initrd");
        stages.reached("root");
        stages.save();
        EXPECT_EQ(Stages::load().times(), stages.times());
    });
}

TEST(StagesTest, ADamagedFileIsReadAsFarAsItGoes)
{
    pass_in_namespaces(CLONE_NEWNS, [] {
        mount_small_disk("/run", 1 << 16);
        std::filesystem::create_directory(run_folder);
        std::ofstream{std::string{run_folder} + "/stages"} << "initrd 12\nroot x\nready 30\n";
        EXPECT_EQ(Stages::load().times(), (std::map<std::string, std::uint64_t>{{"initrd", 12}}));
    });
}

}  // namespace
}  // namespace banger::guest::test
