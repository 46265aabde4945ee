// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/answers.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::nss {
namespace {

constexpr char untouched = 0x5a;
constexpr std::size_t room = 1024;
const in_addr_t web_address = htonl(0x0a4d0002);

class AnswersTest : public ::testing::Test {
protected:
    AnswersTest()
    {
        std::filesystem::create_directories(names);
        std::ofstream{names / "bangerd"} << "# banger names 1\n10.77.0.2 web.vm\n10.77.0.6 " << longest << "\n";
    }

    Place place() const { return {run.c_str(), user}; }
    Memory memory() { return {buffer.data(), buffer.size()}; }
    Reasons reasons() { return {&error, &host_error}; }
    void expect_web(const hostent& host)
    {
        EXPECT_STREQ(host.h_name, "web.vm");
        EXPECT_EQ(host.h_aliases[0], nullptr);
        EXPECT_EQ(host.h_addrtype, AF_INET);
        ASSERT_EQ(host.h_length, 4);
        EXPECT_EQ(*reinterpret_cast<const in_addr_t*>(host.h_addr_list[0]), web_address);
        EXPECT_EQ(host.h_addr_list[1], nullptr);
        EXPECT_EQ(host_error, NETDB_SUCCESS);
        EXPECT_EQ(error, EXDEV) << "not touched";
    }
    /// `call` with each size of memory at each alignment: ERANGE until it fits, and never a byte beyond.
    void try_sizes(const std::function<nss_status(Memory)>& call);

    agent::test::TemporaryFolder folder;
    std::string run{folder.path.string()};
    uid_t user{::geteuid()};
    std::filesystem::path names{folder.path / std::to_string(user) / "banger/names"};
    std::string longest{std::string(label_limit, 'x') + ".vm"};
    std::vector<char> buffer = std::vector<char>(room, untouched);
    int error{EXDEV};
    int host_error{-7};
};

TEST_F(AnswersTest, AHostIsFoundByName)
{
    for (const auto* name : {"web.vm", "WEB.Vm."}) {
        hostent host{};
        EXPECT_EQ(host_by_name(place(), name, AF_INET, host, memory(), reasons()), NSS_STATUS_SUCCESS);
        expect_web(host);
    }
}

TEST_F(AnswersTest, AHostIsFoundByAddress)
{
    hostent host{};
    EXPECT_EQ(host_by_address(place(), &web_address, sizeof web_address, AF_INET, host, memory(), reasons()),
              NSS_STATUS_SUCCESS);
    expect_web(host);
}

TEST_F(AnswersTest, ATupleGoesWhereTheCallerWantsIt)
{
    gaih_addrtuple own{};
    own.family = -1;
    gaih_addrtuple* result = &own;
    EXPECT_EQ(tuple_by_name(place(), "web.vm", &result, memory(), reasons()), NSS_STATUS_SUCCESS);
    EXPECT_EQ(result, &own);
    EXPECT_EQ(own.family, AF_INET);
    EXPECT_EQ(own.addr[0], web_address);
    EXPECT_EQ(own.next, nullptr);
    EXPECT_STREQ(own.name, "web.vm");
    result = nullptr;
    EXPECT_EQ(tuple_by_name(place(), "web.vm", &result, memory(), reasons()), NSS_STATUS_SUCCESS);
    ASSERT_NE(result, nullptr);
    EXPECT_GE(reinterpret_cast<char*>(result), buffer.data());
    EXPECT_LE(reinterpret_cast<char*>(result + 1), buffer.data() + buffer.size());
    EXPECT_STREQ(result->name, "web.vm");
}

TEST_F(AnswersTest, AVmHasNoAddressOfAnotherFamily)
{
    hostent host{};
    EXPECT_EQ(host_by_name(place(), "web.vm", AF_INET6, host, memory(), reasons()), NSS_STATUS_NOTFOUND);
    EXPECT_EQ(host_error, NO_DATA);
    EXPECT_EQ(error, EXDEV);
    EXPECT_EQ(host_by_name(place(), "other.vm", AF_INET6, host, memory(), reasons()), NSS_STATUS_NOTFOUND);
    EXPECT_EQ(host_error, HOST_NOT_FOUND);
}

TEST_F(AnswersTest, OtherNamesAndAddressesAreNotFound)
{
    hostent host{};
    gaih_addrtuple* result = nullptr;
    const std::string endless(1 << 20, 'a');
    for (const char* name : {"other.vm", "web", "web.vm.example.org", "", "example.org", endless.c_str(),
                             static_cast<const char*>(nullptr)}) {
        host_error = -7;
        EXPECT_EQ(host_by_name(place(), name, AF_INET, host, memory(), reasons()), NSS_STATUS_NOTFOUND);
        EXPECT_EQ(host_error, HOST_NOT_FOUND);
        EXPECT_EQ(tuple_by_name(place(), name, &result, memory(), reasons()), NSS_STATUS_NOTFOUND);
        EXPECT_EQ(error, EXDEV);
    }
    const in_addr_t other = htonl(0x0a4d0003);
    const in6_addr six{};
    EXPECT_EQ(host_by_address(place(), &other, sizeof other, AF_INET, host, memory(), reasons()), NSS_STATUS_NOTFOUND);
    EXPECT_EQ(host_by_address(place(), &six, sizeof six, AF_INET6, host, memory(), reasons()), NSS_STATUS_NOTFOUND);
    EXPECT_EQ(host_by_address(place(), &web_address, 3, AF_INET, host, memory(), reasons()), NSS_STATUS_NOTFOUND);
    EXPECT_EQ(result, nullptr);
    EXPECT_EQ(host.h_name, nullptr);
    EXPECT_TRUE(std::all_of(buffer.begin(), buffer.end(), [](char c) { return c == untouched; }));
}

void AnswersTest::try_sizes(const std::function<nss_status(Memory)>& call)
{
    constexpr std::size_t alignments = 16;
    for (std::size_t offset = 0; offset < alignments; ++offset) {
        bool fitted = false;
        for (std::size_t size = 0; size <= 256; ++size) {
            // A block of just that size, so that ASan sees what a canary would not.
            std::vector<char> block(offset + size, untouched);
            error = EXDEV;
            host_error = -7;
            const auto status = call({block.data() + offset, size});
            EXPECT_TRUE(std::all_of(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(offset),
                                    [](char c) { return c == untouched; }));
            if (status != NSS_STATUS_SUCCESS) {
                EXPECT_FALSE(fitted) << "a larger one, " << size << ", fits as well";
                EXPECT_EQ(status, NSS_STATUS_TRYAGAIN);
                EXPECT_EQ(error, ERANGE);
                EXPECT_EQ(host_error, NETDB_INTERNAL);
            }
            fitted = status == NSS_STATUS_SUCCESS;
        }
        EXPECT_TRUE(fitted);
    }
}

TEST_F(AnswersTest, MemoryThatIsTooSmallIsSaidAndNotLeft)
{
    for (const std::string& name : {std::string{"web.vm"}, longest}) {
        try_sizes([&](Memory memory) {
            hostent host{};
            const auto status = host_by_name(place(), name.c_str(), AF_INET, host, memory, reasons());
            EXPECT_TRUE(status != NSS_STATUS_SUCCESS || name == host.h_name);
            return status;
        });
        try_sizes([&](Memory memory) {
            gaih_addrtuple* result = nullptr;
            const auto status = tuple_by_name(place(), name.c_str(), &result, memory, reasons());
            EXPECT_TRUE(status != NSS_STATUS_SUCCESS || name == result->name);
            return status;
        });
    }
    try_sizes([&](Memory memory) {
        hostent host{};
        return host_by_address(place(), &web_address, sizeof web_address, AF_INET, host, memory, reasons());
    });
    hostent host{};
    EXPECT_EQ(host_by_name(place(), "web.vm", AF_INET, host, {nullptr, 0}, reasons()), NSS_STATUS_TRYAGAIN);
}

TEST_F(AnswersTest, AProcessWithoutDescriptorsLeftIsToldSo)
{
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    hostent host{};
    const auto status = host_by_name(place(), "web.vm", AF_INET, host, memory(), reasons());
    const auto unknown = host_by_name(place(), "example.org", AF_INET, host, memory(), {&host_error, &host_error});
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(status, NSS_STATUS_UNAVAIL);
    EXPECT_EQ(error, EMFILE);
    EXPECT_EQ(unknown, NSS_STATUS_NOTFOUND) << "for what is no VM's name nothing is opened";
}

}  // namespace
}  // namespace banger::nss
