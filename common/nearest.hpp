// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

namespace banger {

/// The word that was probably meant: one that goes on where `word` (3 letters at least) ends, else the one with the smallest edit distance,
/// at most a third of its length. For "did you mean"; nothing longer than 64 letters was meant as anything.
inline std::optional<std::string_view> nearest(std::string_view word, const std::vector<std::string_view>& known)
{
    constexpr std::size_t least_prefix = 3;
    constexpr std::size_t limit = 64;
    std::optional<std::string_view> best;
    std::size_t best_distance = 0;
    if (word.size() > limit) {
        return best;
    }
    for (const auto candidate : known) {
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t j = 0; j < row.size(); ++j) {
            row[j] = j;
        }
        for (std::size_t i = 1; i <= word.size(); ++i) {
            auto diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j < row.size(); ++j) {
                const auto above = row[j];
                const std::size_t change = word[i - 1] == candidate[j - 1] ? 0 : 1;
                row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + change});
                diagonal = above;
            }
        }
        const bool goes_on = word.size() >= least_prefix && candidate.starts_with(word);
        const auto distance = goes_on ? 0 : row.back();
        if (distance <= std::max<std::size_t>(1, candidate.size() / 3) && (!best || distance < best_distance)) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace banger
