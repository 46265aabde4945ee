// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/question.hpp"

#include "cli/view/escape.hpp"
#include "cli/view/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace banger::cli {

bool can_ask() noexcept { return is_terminal(STDIN_FILENO) && is_terminal(STDERR_FILENO); }

bool says_yes(const std::string& question)
{
    const auto text = escaped(question) + " [y/N] ";
    [[maybe_unused]] const auto shown = ::write(STDERR_FILENO, text.data(), text.size());
    // A terminal gives a line at a time.
    std::array<char, 256> line;
    const auto got = ::read(STDIN_FILENO, line.data(), line.size());
    std::string answer{line.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    if (answer.empty() || answer.back() != '\n') {
        remark("");  // Ctrl-D leaves the cursor behind the question
    }
    std::transform(answer.begin(), answer.end(), answer.begin(), [](unsigned char c) { return std::tolower(c); });
    return answer == "y\n" || answer == "yes\n";
}

}  // namespace banger::cli
