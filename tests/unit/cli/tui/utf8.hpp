// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <clocale>

namespace banger::cli::tui {

/// The C library decodes by the locale; programs of tests begin with "C".
class Utf8Test : public testing::Test {
protected:
    void SetUp() override { ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr); }
    void TearDown() override { std::setlocale(LC_CTYPE, "C"); }
};

}  // namespace banger::cli::tui
