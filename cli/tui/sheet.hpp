// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace banger::cli::tui {

/// Whether each word of `filter` is in `text`, in any case (of ASCII). An empty filter passes everything.
bool passes(std::string_view text, std::string_view filter);

/// Rows that come, change and go, of which those that pass a filter are listed in an order, and one is chosen. The choice is the row's, not the
/// place's: it stays when others come and go, and goes to the row in its place when it goes itself.
/// A Row has key_of(row), for ever its own, and words_of(row), in which a filter looks.
template <typename Row>
class Sheet {
public:
    using Before = std::function<bool(const Row&, const Row&)>;

    explicit Sheet(Before before) : before_{std::move(before)} {}

    void replace(std::vector<Row> rows)
    {
        rows_.clear();
        for (auto& row : rows) {
            auto key = key_of(row);
            rows_.insert_or_assign(std::move(key), std::move(row));
        }
        stale_ = true;
    }
    void put(Row row)
    {
        auto key = key_of(row);
        rows_.insert_or_assign(std::move(key), std::move(row));
        stale_ = true;
    }
    void erase(const std::string& key) { stale_ = rows_.erase(key) > 0 || stale_; }
    /// nullptr: there is none. Who changes what a filter or the order looks at calls touch().
    Row* find(const std::string& key)
    {
        const auto at = rows_.find(key);
        return at == rows_.end() ? nullptr : &at->second;
    }
    void touch() noexcept { stale_ = true; }
    std::size_t size() const noexcept { return rows_.size(); }

    /// Whatever the filter says, by their keys. Valid until the rows change.
    std::vector<const Row*> all() const
    {
        std::vector<const Row*> rows;
        for (const auto& [key, row] : rows_) {
            rows.push_back(&row);
        }
        return rows;
    }
    /// In order. Valid until the rows change.
    const std::vector<const Row*>& shown()
    {
        if (stale_) {
            list();
        }
        return shown_;
    }
    void set_filter(std::string filter)
    {
        filter_ = std::move(filter);
        stale_ = true;
    }
    const std::string& filter() const noexcept { return filter_; }
    void set_order(Before before)
    {
        before_ = std::move(before);
        stale_ = true;
    }

    /// nullptr: nothing is listed.
    const Row* chosen()
    {
        const auto& rows = shown();
        return rows.empty() ? nullptr : rows[place_];
    }
    std::size_t chosen_place()
    {
        shown();
        return place_;
    }
    void choose(std::size_t place)
    {
        const auto& rows = shown();
        if (!rows.empty()) {
            place_ = std::min(place, rows.size() - 1);
            chosen_ = key_of(*rows[place_]);
        }
    }
    void move(std::ptrdiff_t by)
    {
        const auto place = static_cast<std::ptrdiff_t>(chosen_place());
        choose(static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, place + by)));
    }
    /// The first place that is on a screen of so many rows, which the chosen one is on.
    std::size_t top(std::size_t height)
    {
        const auto count = shown().size();
        if (place_ < top_) {
            top_ = place_;
        }
        if (height > 0 && place_ >= top_ + height) {
            top_ = place_ - height + 1;
        }
        top_ = std::min(top_, count > height ? count - height : 0);
        return top_;
    }

private:
    void list()
    {
        shown_.clear();
        for (const auto& [key, row] : rows_) {
            if (filter_.empty() || passes(words_of(row), filter_)) {
                shown_.push_back(&row);
            }
        }
        std::stable_sort(shown_.begin(), shown_.end(), [this](const Row* a, const Row* b) { return before_(*a, *b); });
        stale_ = false;
        const auto at =
            std::find_if(shown_.begin(), shown_.end(), [this](const Row* row) { return key_of(*row) == chosen_; });
        place_ = at != shown_.end() ? static_cast<std::size_t>(at - shown_.begin())
                                    : std::min(place_, shown_.empty() ? 0 : shown_.size() - 1);
        if (!shown_.empty()) {
            chosen_ = key_of(*shown_[place_]);
        }
    }

    Before before_;
    std::map<std::string, Row> rows_;
    std::string filter_;
    std::vector<const Row*> shown_;
    std::string chosen_;
    std::size_t place_{0};
    std::size_t top_{0};
    bool stale_{true};
};

}  // namespace banger::cli::tui
