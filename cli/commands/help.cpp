// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/help.hpp"

namespace banger::cli {

HelpFormatter::HelpFormatter()
{
    constexpr std::size_t description_column = 28;
    column_width(description_column);
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const
{
    if (option->get_type_size() == 0 || option->get_positional()) {
        return "";
    }
    const auto type = option->get_type_name();
    return " " + type.substr(0, type.find(":{"));
}

}  // namespace banger::cli
