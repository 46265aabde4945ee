// SPDX-License-Identifier: GPL-2.0-or-later
// What anybody on the session bus may ask the search for, and what others have a hand in of a notification's text.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/desktop/notice.hpp"
#include "agent/core/desktop/vm_search.hpp"
#include "tests/fuzz/harness.hpp"

using namespace banger;
using fuzz::demand;

namespace {

agent::VmPtr vm_of(const char* name, const char* id, agent::VmState state)
{
    constexpr std::size_t digits = 64;
    agent::VmSpec spec{.name = VmName::parse(name),
                       .image = "debian",
                       .image_digest = Digest::parse(std::string(digits, 'a')),
                       .kernel = "debian",
                       .kernel_digest = Digest::parse(std::string(digits, 'b')),
                       .vcpus = 1,
                       .memory_mib = 256,
                       .disk = 1 * gib};
    return std::make_shared<agent::Vm>(agent::VmRecord{.id = VmId::parse(id), .spec = std::move(spec), .state = state},
                                       "/nowhere");
}

const std::vector<agent::VmPtr>& vms()
{
    using enum agent::VmState;
    static const std::vector<agent::VmPtr> all{
        vm_of("a", "aaaaaaaaaaaa", Stopped), vm_of("start-web", "aaaaaaaaaaab", Failed),
        vm_of("web", "aaaaaaaaaaac", Running), vm_of("web-2", "aaaaaaaaaaad", Creating)};
    return all;
}

void check_search(std::string_view text)
{
    const auto hits = agent::search_vms(vms(), agent::terms_of(text));
    demand(hits.size() <= agent::most_hits, "no desktop shows more");
    for (const auto& hit : hits) {
        demand(agent::is_possible(hit.action, hit.vm->record.state), "what is offered makes sense");
        const auto again = agent::find_result(vms(), agent::result_id(hit));
        demand(again && again->vm == hit.vm && again->action == hit.action, "a result's name leads back to it");
    }
    if (const auto hit = agent::find_result(vms(), text)) {
        demand(agent::result_id(*hit) == text, "a name that leads somewhere is a result's");
    }
}

void check_text(std::string_view text)
{
    const auto escaped = agent::escape_markup(text);
    demand(escaped.find_first_of("<>") == std::string::npos, "no markup is left");
    demand(escaped.size() >= text.size(), "nothing is lost");
    const auto line = agent::notice_line(text);
    demand(line.size() < 300, "a line is cut");
    demand(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }), "and printable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = fuzz::text_of({data, size});
    check_search(text);
    check_text(text);
    return 0;
}
