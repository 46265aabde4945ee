// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/user_names.hpp"

#include <utility>

#include "common/error.hpp"

namespace banger::broker {
namespace {

std::optional<std::string> name_or_nothing(Users& users, uid_t uid)
{
    try {
        return users.name_of(uid).value_or("");
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

NameOf user_names(EventLoop& loop, Lane& lane, Users& users)
{
    return [&loop, &lane, &users](uid_t uid, std::function<void(std::optional<std::string> name)> told) {
        const bool taken = lane.submit(
            [&loop, &users, uid, told] { loop.post([told, name = name_or_nothing(users, uid)] { told(name); }); });
        if (!taken) {
            throw Error{ErrorCode::Unavailable, "banger-broker has too much to do; try again"};
        }
    };
}

}  // namespace banger::broker
