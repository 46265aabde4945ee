// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/journal.hpp"

#include "broker/core/record_text.hpp"
#include "common/error.hpp"

namespace banger::broker {
namespace {

constexpr std::string_view suffix = ".toml";

/// The key in the file's name; the record in it must be of the same.
SandboxKey key_in(std::string_view name)
{
    if (!name.ends_with(suffix)) {
        throw Error{ErrorCode::InvalidArgument, "is no record's name"};
    }
    name.remove_suffix(suffix.size());
    return SandboxKey::parse(name);
}

}  // namespace

std::vector<std::string> Journal::load()
{
    std::vector<std::string> problems;
    const auto entries =
        store_->load();  // before anything is forgotten: without it the next create would take a used id
    records_.clear();
    damaged_.clear();
    for (const auto& entry : entries) {
        try {
            const auto key = key_in(entry.name);
            damaged_.insert(key);
            auto record = parse_record(entry.text, entry.name);
            if (record.key != key) {
                throw Error{ErrorCode::InvalidArgument, entry.name + ": holds another sandbox's record"};
            }
            damaged_.erase(key);
            records_.insert_or_assign(key, std::move(record));
        } catch (const Error& problem) {
            problems.emplace_back(problem.what());
        }
    }
    return problems;
}

const SandboxRecord* Journal::find(const SandboxKey& key) const noexcept
{
    const auto found = records_.find(key);
    return found == records_.end() ? nullptr : &found->second;
}

void Journal::save(const SandboxRecord& record)
{
    store_->save(record.key, record_text(record));
    records_.insert_or_assign(record.key, record);
}

void Journal::remove(const SandboxKey& key)
{
    store_->remove(key);
    records_.erase(key);
}

}  // namespace banger::broker
