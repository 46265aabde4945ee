// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>

namespace banger {

template <auto Free>
struct CDeleter {
    template <typename T>
    void operator()(T* object) const noexcept
    {
        Free(object);
    }
};

/// Owns an object of a C library: `c_ptr<sd_event, sd_event_unref>`.
template <typename T, auto Free>
using c_ptr = std::unique_ptr<T, CDeleter<Free>>;

}  // namespace banger
