// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Sandboxes that knows whose they are: a uid may be given to somebody else (R32), and a user may get another name.
#include "broker/core/sandboxes.hpp"
#include "common/error.hpp"

namespace banger::broker {

std::set<uid_t> Sandboxes::uids() const
{
    std::set<uid_t> found;
    for (const auto& [key, record] : parts_.journal.records()) {
        found.insert(key.uid);
    }
    return found;
}

std::vector<std::string> Sandboxes::know_user(uid_t uid, const std::string& user)
{
    std::vector<SandboxRecord> theirs;  // copies, as the journal's change below
    for (const auto& [key, record] : parts_.journal.records()) {
        if (key.uid == uid) {
            theirs.push_back(record);
        }
    }
    std::vector<std::string> news;
    for (auto& record : theirs) {
        if (record.user != user) {
            put_away(std::move(record), news);
        } else if (record.is_left()) {
            record.left = {};
            parts_.journal.save(record);
            news.push_back("sandbox " + record.key.str() + " is there again, as its user " + user + " is");
        }
    }
    return news;
}

/// First the journal, as from then on nobody finds it; what can't be stopped now is tried again with the next call.
void Sandboxes::put_away(SandboxRecord record, std::vector<std::string>& news)
{
    if (!record.is_left()) {
        record.left = parts_.now();
        save_or_cut_off(record);
        news.push_back("sandbox " + record.key.str() + " of " + record.user +
                       " is put away, as its uid is another user's now");
    }
    if (record.phase == Phase::Stopped || cloning_.contains(record.key)) {
        return;
    }
    try {
        if (record.is_half()) {
            destroy(record.key, Force::Yes);
        } else {
            tear_down(record);
        }
    } catch (const Error& problem) {
        news.push_back("sandbox " + record.key.str() + " is put away and can't be stopped: " + problem.what());
    }
}

/// Where even that has no room, of what runs nothing stays open to the heir, at least; the next call tries again.
void Sandboxes::save_or_cut_off(const SandboxRecord& record)
{
    try {
        parts_.journal.save(record);
    } catch (const Error&) {
        if (record.phase != Phase::Stopped && !cloning_.contains(record.key)) {
            parts_.assembly.take_apart(record);
        }
        throw;
    }
}

}  // namespace banger::broker
