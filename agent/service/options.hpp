// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace banger::agent {

using VariantMap = std::map<std::string, sdbus::Variant>;

/// An a{sv} argument: known keys of known types, nothing else.
class Options {
public:
    /// Throws InvalidArgument for a key that isn't known, with the nearest one.
    Options(const VariantMap& map, std::initializer_list<std::string_view> known);

    bool has(const std::string& key) const { return map_->contains(key); }
    /// nullopt when the key isn't there. Throws InvalidArgument when it has another type.
    template <typename T>
    std::optional<T> get(const std::string& key) const
    {
        const auto at = map_->find(key);
        if (at == map_->end()) {
            return std::nullopt;
        }
        if (!at->second.containsValueOfType<T>()) {
            refuse_type(key, at->second);
        }
        return at->second.get<T>();
    }
    template <typename T>
    T get(const std::string& key, T otherwise) const
    {
        auto value = get<T>(key);
        return value ? std::move(*value) : std::move(otherwise);
    }

private:
    [[noreturn]] static void refuse_type(const std::string& key, const sdbus::Variant& value);
    const VariantMap* map_;
};

}  // namespace banger::agent
