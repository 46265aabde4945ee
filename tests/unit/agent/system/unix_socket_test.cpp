// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/unix_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

bool closes_on_exec(const UniqueFd& fd) { return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0; }

TEST(UnixSocketTest, ConnectsBelowAFolderThatIsDeeperThanASocketAddressIsLong)
{
    const test::TemporaryFolder root;
    auto deep = root.path;
    while (deep.string().size() < 300) {
        deep /= "a-rather-long-folder-name";
    }
    std::filesystem::create_directories(deep);
    const auto server = listen_in(deep, "guest.sock");
    const auto client = connect_in(deep, "guest.sock");
    const UniqueFd accepted{::accept(server.get(), nullptr, nullptr)};
    ASSERT_TRUE(accepted);
    EXPECT_EQ(::write(client.get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(::read(accepted.get(), &byte, 1), 1);
    EXPECT_TRUE(closes_on_exec(server) && closes_on_exec(client));
}

TEST(UnixSocketTest, ListeningTakesThePlaceOfAStaleSocket)
{
    const test::TemporaryFolder root;
    {
        const auto stale = listen_in(root.path, "s");
    }
    EXPECT_THROW(connect_in(root.path, "s"), Error);
    const auto server = listen_in(root.path, "s");
    EXPECT_TRUE(connect_in(root.path, "s"));
}

TEST(UnixSocketTest, NobodyThereIsUnavailable)
{
    const test::TemporaryFolder root;
    try {
        connect_in(root.path, "s");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Unavailable);
    }
    EXPECT_THROW(listen_in(root.path / "nowhere", "s"), Error);
}

TEST(UnixSocketTest, OfAPairOursDoesNotBlockAndTheirsDoes)
{
    const auto pair = make_socket_pair(SOCK_SEQPACKET);
    EXPECT_NE(::fcntl(pair.ours.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(pair.theirs.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(closes_on_exec(pair.ours) && closes_on_exec(pair.theirs));
}

}  // namespace
}  // namespace banger::agent
