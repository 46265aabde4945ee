// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/options.hpp"

#include <algorithm>
#include <vector>

#include "common/nearest.hpp"
#include "common/text.hpp"

namespace banger::agent {

Options::Options(const VariantMap& map, std::initializer_list<std::string_view> known) : map_{&map}
{
    for (const auto& [key, value] : map) {
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            const auto near = nearest(key, std::vector<std::string_view>{known});
            throw Error{ErrorCode::InvalidArgument, "unknown option \"" + shown(key) + "\"" +
                                                        (near ? "; did you mean " + std::string{*near} + "?" : "")};
        }
    }
}

void Options::refuse_type(const std::string& key, const sdbus::Variant& value)
{
    throw Error{ErrorCode::InvalidArgument,
                "the option " + key + " has the wrong type " + std::string{value.peekValueType()}};
}

}  // namespace banger::agent
