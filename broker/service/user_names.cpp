// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/user_names.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

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

/// Who waits for a look-up that has not begun. However many ask for one uid, a slow user database is asked once at a time, so nobody can fill the
/// lane for others.
class Waiting {
public:
    using Told = std::function<void(std::optional<std::string> name)>;

    /// Whether it is the first of that uid, for whom somebody must look. Throws Unavailable.
    bool add(uid_t uid, Told told)
    {
        const std::lock_guard guard{mutex_};
        auto& row = rows_[uid];
        if (row.size() >= Lane::usual_limit) {
            throw too_much();
        }
        row.push_back(std::move(told));
        return row.size() == 1;
    }

    /// All of them. Who comes from now on wants a look of their own.
    std::vector<Told> take(uid_t uid)
    {
        const std::lock_guard guard{mutex_};
        auto row = rows_.extract(uid);
        return row ? std::move(row.mapped()) : std::vector<Told>{};
    }

    static Error too_much() { return Error{ErrorCode::Unavailable, "banger-broker has too much to do; try again"}; }

private:
    std::mutex mutex_;
    std::map<uid_t, std::vector<Told>> rows_;
};

}  // namespace

NameOf user_names(EventLoop& loop, Lane& lane, Users& users)
{
    return [&loop, &lane, &users, waiting = std::make_shared<Waiting>()](uid_t uid, Waiting::Told told) {
        if (!waiting->add(uid, std::move(told))) {
            return;
        }
        const bool taken = lane.submit([&loop, &users, waiting, uid] {
            auto all = waiting->take(uid);  // before the look: what is asked from here on may have another answer
            loop.post([all = std::move(all), name = name_or_nothing(users, uid)] {
                for (const auto& call : all) {
                    call(name);
                }
            });
        });
        if (!taken) {
            waiting->take(uid);
            throw Waiting::too_much();
        }
    };
}

}  // namespace banger::broker
