// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/record_text.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>

#include "broker/core/toml_reader.hpp"
#include "common/ids.hpp"

namespace banger::broker {
namespace {

constexpr std::int64_t version = 1;
/// In the order of the enum; Making has the word of when clones alone were made in two steps.
constexpr std::array<std::string_view, 6> phases{"stopped", "starting", "running", "stopping", "cloning", "destroying"};

Phase parse_phase(std::string_view word)
{
    const auto found = std::find(phases.begin(), phases.end(), word);
    if (found == phases.end()) {
        throw Error{ErrorCode::InvalidArgument, "no such phase"};
    }
    return static_cast<Phase>(found - phases.begin());
}

/// Empty, or what `Type` takes.
template <typename Type>
std::string empty_or(std::string_view text)
{
    return text.empty() ? std::string{} : Type::parse(text).str();
}

}  // namespace

std::string record_text(const SandboxRecord& record)
{
    toml::table table{
        {"version", version},
        {"uid", static_cast<std::int64_t>(record.key.uid)},
        {"id", record.key.id.str()},
        {"user", record.user},
        {"base_digest", record.base_digest},
        {"cow_limit", static_cast<std::int64_t>(record.cow_limit.bytes())},
        {"slot", static_cast<std::int64_t>(record.slot)},
        {"phase", phases.at(static_cast<std::size_t>(record.phase))},
        {"network", record.network},
        {"nat", record.nat == Nat::On},
        {"name", record.name},
    };
    if (record.is_left()) {  // a line that few have, so that an earlier version reads the others
        table.insert("left", static_cast<std::int64_t>(record.left.time_since_epoch().count()));
    }
    std::ostringstream text;
    text << table << '\n';
    return text.str();
}

SandboxRecord parse_record(std::string_view text, std::string_view file)
{
    constexpr std::int64_t highest_uid = std::numeric_limits<std::uint32_t>::max() - 1;
    constexpr std::int64_t highest_slot = (1U << 14U) - 1;  // of a /16
    constexpr std::int64_t latest = 253'402'300'799;        // the end of the year 9999, in seconds
    const auto table = parse_toml(text, file);
    const TomlReader top{table, file};
    top.number("version", version, version);
    top.only({"version", "uid", "id", "user", "base_digest", "cow_limit", "slot", "phase", "network", "nat", "name",
              "left"});
    const auto left = top.has("left") ? top.number("left", 1, latest) : 0;
    return SandboxRecord{
        .key = {.uid = static_cast<uid_t>(top.number("uid", 0, highest_uid)),
                .id = top.parsed("id", [](std::string_view id) { return SandboxId::parse(id); })},
        .user = top.text("user"),
        .base_digest = top.parsed("base_digest", empty_or<Digest>),
        .cow_limit =
            ByteSize{static_cast<std::uint64_t>(top.number("cow_limit", 0, std::numeric_limits<std::int64_t>::max()))},
        .slot = static_cast<std::uint32_t>(top.number("slot", 0, highest_slot)),
        .phase = top.parsed("phase", parse_phase),
        .network = top.flag("network"),
        .nat = top.flag("nat") ? Nat::On : Nat::Off,
        .name = top.parsed("name", empty_or<VmName>),
        .left = std::chrono::sys_seconds{std::chrono::seconds{left}},
    };
}

}  // namespace banger::broker
