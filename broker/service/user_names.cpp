// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/user_names.hpp"

#include <utility>

#include "common/error.hpp"

namespace banger::broker {
namespace {

std::string name_or_number(Users& users, uid_t uid)
{
    try {
        if (auto name = users.name_of(uid); name && !name->empty()) {
            return *std::move(name);
        }
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the number will do
    }
    return "the user with the number " + std::to_string(uid);
}

}  // namespace

std::function<void(uid_t, std::function<void(std::string name)> told)> user_names(EventLoop& loop, Lane& lane,
                                                                                  Users& users)
{
    return [&loop, &lane, &users](uid_t uid, std::function<void(std::string name)> told) {
        const bool taken = lane.submit(
            [&loop, &users, uid, told] { loop.post([told, name = name_or_number(users, uid)] { told(name); }); });
        if (!taken) {
            throw Error{ErrorCode::Unavailable, "banger-broker has too much to do; try again"};
        }
    };
}

}  // namespace banger::broker
