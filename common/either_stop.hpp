// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stop_token>
#include <utility>

namespace banger {

/// Stops when one of two does. Any thread.
class EitherStop {
public:
    EitherStop(std::stop_token one, std::stop_token other)
        : first_{std::move(one), Ask{source_}}, second_{std::move(other), Ask{source_}}
    {
    }
    EitherStop(const EitherStop&) = delete;
    EitherStop& operator=(const EitherStop&) = delete;
    ~EitherStop() = default;

    std::stop_token token() const noexcept { return source_.get_token(); }

private:
    struct Ask {
        std::stop_source source;
        void operator()() const noexcept { source.request_stop(); }
    };

    std::stop_source source_;
    std::stop_callback<Ask> first_;
    std::stop_callback<Ask> second_;
};

}  // namespace banger
