// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/model.hpp"

#include "tests/unit/cli/tui/models.hpp"

#include <gtest/gtest.h>

namespace banger::cli::tui {
namespace {

TEST(Model, OperationsAreListedTheLastFirst)
{
    Model model;
    for (const auto* number : {"9", "10", "2"}) {
        model.operations.put({.path = std::string{"/dev/banger/Agent1/operation/"} + number});
    }
    std::string order;
    for (const auto* operation : model.operations.shown()) {
        order += operation->path.substr(operation->path.rfind('/'));
    }
    EXPECT_EQ(order, "/10/9/2");
}

TEST(Model, WhatIsListedStaysWhileBangerdIsAway)
{
    Model model;
    fill(model, {24, 80});
    model.lost("it was killed");
    EXPECT_EQ(model.link, Link::Lost);
    EXPECT_EQ(model.vms.size(), 3U);
    model.found();
    EXPECT_EQ(model.link, Link::Up);
    EXPECT_EQ(model.link_problem, "");
}

}  // namespace
}  // namespace banger::cli::tui
