// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_driver.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/unix_socket.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

class FirecrackerDriverTest : public test::LoopTest {
protected:
    void write(const std::string& name, const std::string& text) { std::ofstream{folder.path / name} << text; }
    std::string text_of(const std::string& name) const
    {
        std::ifstream file{folder.path / name};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    test::TemporaryFolder folder;
    FirecrackerDriver driver{[] { return "/x/firecracker"; }};
};

TEST_F(FirecrackerDriverTest, AStartFindsNeitherTheLastOnesSocketsNorItsLog)
{
    write(vm_folder::firecracker_log, "the last one\n");
    write(vm_folder::firecracker_metrics, "{}\n");
    write(vm_folder::console_log, "before\n");
    for (const auto* socket : {vm_folder::control_socket, vm_folder::guest_socket}) {
        listen_in(folder.path, socket);  // the name stays when the socket has gone
        ASSERT_TRUE(std::filesystem::exists(folder.path / socket));
    }
    const auto streams = driver.prepare(folder.path);
    for (const auto* socket : {vm_folder::control_socket, vm_folder::guest_socket}) {
        EXPECT_FALSE(std::filesystem::exists(folder.path / socket)) << "Firecracker refuses to bind where one is";
    }
    EXPECT_EQ(text_of("firecracker.log.1"), "the last one\n");
    EXPECT_EQ(text_of(vm_folder::firecracker_log), "") << "its end would be told of this VM";
    EXPECT_EQ(text_of(vm_folder::firecracker_metrics), "");
    ASSERT_EQ(::write(streams.output.get(), "now\n", 4), 4);
    EXPECT_EQ(text_of(vm_folder::console_log), "before\nnow\n");
    EXPECT_EQ(streams.error_log, vm_folder::console_log);
}

TEST_F(FirecrackerDriverTest, AFirstStartMakesWhatFirecrackerWantsToFind)
{
    driver.prepare(folder.path);
    EXPECT_TRUE(std::filesystem::is_regular_file(folder.path / vm_folder::firecracker_log));
    EXPECT_TRUE(std::filesystem::is_regular_file(folder.path / vm_folder::firecracker_metrics));
}

TEST_F(FirecrackerDriverTest, ALinkInALogsPlaceIsNotFollowed)
{
    write("precious", "precious\n");
    for (const auto* log : {vm_folder::firecracker_metrics, vm_folder::console_log}) {
        std::filesystem::create_symlink("precious", folder.path / log);
        EXPECT_THROW(driver.prepare(folder.path), Error) << log;
        std::filesystem::remove(folder.path / log);
    }
    std::filesystem::remove(folder.path / vm_folder::firecracker_log);  // a prepare that failed later has made one
    std::filesystem::create_symlink("precious", folder.path / vm_folder::firecracker_log);
    driver.prepare(folder.path);
    EXPECT_EQ(text_of("precious"), "precious\n");
}

TEST_F(FirecrackerDriverTest, OnlyAnEndInOrderIsAReset)
{
    const auto control = driver.attach(loop, folder.path);
    EXPECT_EQ(control->guest_end(), std::nullopt) << "it never came to a log";
    write(vm_folder::firecracker_log, "Running Firecracker v1.12.1\nFirecracker exiting with error: no room\n");
    EXPECT_EQ(control->guest_end(), std::nullopt);
    write(vm_folder::firecracker_log, "Vmm is stopping.\nFirecracker exiting successfully. exit_code=0\n");
    EXPECT_EQ(control->guest_end(), GuestEnd::Reset);
    EXPECT_FALSE(control->quit()) << "a signal is what ends it";
}

TEST_F(FirecrackerDriverTest, AGuestThatPowersOffResets)
{
    const auto words = driver.kernel_arguments() + " ";
    EXPECT_THAT(words, HasSubstr(" reboot=k "));
    EXPECT_THAT(words, HasSubstr(" banger.poweroff=reset ")) << "Firecracker does not end with a power-off";
}

}  // namespace
}  // namespace banger::agent
