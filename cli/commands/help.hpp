// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace banger::cli {

/// CLI11's help, without what it says beside each option of values and of other options: descriptions say that in words.
class HelpFormatter final : public CLI::Formatter {
public:
    HelpFormatter();
    std::string make_option_opts(const CLI::Option* option) const override;
};

}  // namespace banger::cli
