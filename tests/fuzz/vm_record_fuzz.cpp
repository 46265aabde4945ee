// SPDX-License-Identifier: GPL-2.0-or-later
// What is kept of a VM: its description as JSON and its state as a word, in a database that something may have damaged.
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_record.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

const nlohmann::json what_older_ones_lack{{"nat", false},
                                          {"storage", "file"},
                                          {"overlay_bytes", agent::default_overlay.bytes()},
                                          {"home_in_image", false},
                                          {"autostart", false}};

void check_spec(const nlohmann::json& json)
{
    taken(
        [&] {
            const auto spec = agent::vm_spec_of(json);
            const auto written = agent::to_json(spec);
            demand(agent::to_json(agent::vm_spec_of(written)) == written,
                   "a description written out is read back the same");
            for (const auto& [member, value] : written.items()) {
                if (!json.contains(member)) {
                    const auto usual = what_older_ones_lack.find(member);
                    demand(value == (usual != what_older_ones_lack.end() ? *usual : nlohmann::json(0)),
                           "a limit that isn't there is none, and the rest is as it was before there was another");
                    continue;
                }
                demand(json.at(member) == value && json.at(member).is_boolean() == value.is_boolean(),
                       "no member is read as another value than it has");
            }
        },
        ErrorCode::CorruptData);
}

void check_words(std::string_view text)
{
    const auto state = agent::vm_state_of(text);
    demand(!state || agent::to_string(*state) == text, "a state is the word it was read from");
    taken([&] { demand(agent::to_string(agent::parse_vmm(text)) == text, "so is a VMM"); }, ErrorCode::InvalidArgument);
    taken([&] { demand(agent::to_string(agent::parse_network(text)) == text, "so is a network"); },
          ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const auto text = text_of({data, size});
    check_words(text);
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_discarded()) {
        check_spec(json);
    }
    return 0;
}
