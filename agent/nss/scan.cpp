// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/scan.hpp"

namespace banger::nss {
namespace {

bool fits(const Entry& entry, const Question& question)
{
    return question.name.empty() ? entry.address == question.address : entry.name.text() == question.name;
}

}  // namespace

bool Scan::feed(std::span<const char> piece) noexcept
{
    for (const char c : piece) {
        if (c == '\n') {
            good_ = good_ && take_line();
        } else if (size_ == line_.size()) {
            good_ = false;
        } else {
            line_[size_++] = c;
        }
        if (!good_) {
            break;
        }
    }
    return good_;
}

bool Scan::take_line() noexcept
{
    const std::string_view line{line_.data(), size_};
    size_ = 0;
    if (!headed_) {
        headed_ = line == header;
        return headed_;
    }
    const auto entry = parse_entry(line);
    if (entry && !found_ && fits(*entry, question_)) {
        found_ = entry;
    }
    return entry.has_value();
}

}  // namespace banger::nss
