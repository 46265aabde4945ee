// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/quota_book.hpp"

#include <algorithm>

#include "common/error.hpp"

namespace banger::broker {
namespace {

void check_one(const Quota& limit, const Usage& has, const Usage& more, const std::string& whose)
{
    if (more.sandboxes > 0 && has.sandboxes + more.sandboxes > limit.sandboxes) {
        throw Error{ErrorCode::QuotaExceeded,
                    whose + " limit is " + std::to_string(limit.sandboxes) +
                        " sandboxes; an administrator can change it in /etc/banger/broker.toml"};
    }
    const auto room = limit.bytes.bytes() - std::min(limit.bytes, has.bytes).bytes();
    if (more.bytes.bytes() > room) {
        throw Error{ErrorCode::QuotaExceeded,
                    whose + " limit is " + limit.bytes.to_string() + " of copy-on-write files, of which " +
                        std::to_string(ByteSize{room}.mib()) +
                        " MiB are left; an administrator can change it in /etc/banger/broker.toml"};
    }
}

}  // namespace

void QuotaBook::check(uid_t uid, const Usage& more) const
{
    check_one(config_->user, usage_of(uid), more, "your");
    check_one(config_->all, usage_of(std::nullopt), more, "this machine's");
}

void QuotaBook::set_allocated(const SandboxKey& key, ByteSize size)
{
    if (size.bytes() == 0) {
        allocated_.erase(key);
    } else {
        allocated_.insert_or_assign(key, size);
    }
}

ByteSize QuotaBook::allocated(const SandboxKey& key) const noexcept
{
    const auto found = allocated_.find(key);
    return found == allocated_.end() ? ByteSize{} : found->second;
}

Usage QuotaBook::usage_of(std::optional<uid_t> uid) const
{
    Usage usage;
    // What a former user of this uid has left takes room, and is not the present one's.
    const auto counts = [&](const SandboxKey& key, const SandboxRecord* record) {
        return !uid || (key.uid == *uid && (record == nullptr || !record->is_left()));
    };
    for (const auto& [key, record] : journal_->records()) {
        usage.sandboxes += counts(key, &record) ? 1 : 0;
    }
    for (const auto& [key, size] : allocated_) {
        if (counts(key, journal_->find(key))) {
            usage.bytes = ByteSize{usage.bytes.bytes() + size.bytes()};
        }
    }
    return usage;
}

}  // namespace banger::broker
