// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/entropy.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/error.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

TEST(EntropyTest, NoSeedIsNoCall) { EXPECT_NO_THROW(add_entropy("")); }

TEST(EntropyTest, AKernelThatRefusesIsAFailure)
{
    pass_in_namespaces(0, [] {
        if (::geteuid() == 0) {
            ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
        }
        try {
            add_entropy(std::string(512, '\0'));
            ADD_FAILURE() << "it was added";
        } catch (const Error& error) {
            EXPECT_NE(std::string{error.what()}.find("Operation not permitted"), std::string::npos) << error.what();
        }
    });
}

}  // namespace
}  // namespace banger::guest::test
