// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/vm_search.hpp"

#include <algorithm>
#include <array>

#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::array desk_action_words{"open", "start", "stop"};
constexpr std::array verbs{DeskAction::Start, DeskAction::Stop};

/// Names have no other letters.
std::string in_small_letters(std::string_view text)
{
    std::string small{text};
    std::transform(small.begin(), small.end(), small.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return small;
}

std::optional<Closeness> closeness_of(std::string_view name, const std::vector<std::string>& terms)
{
    bool begins = false;
    for (const auto& term : terms) {
        const auto at = name.find(term);
        if (at == std::string_view::npos) {
            return std::nullopt;
        }
        begins = begins || at == 0;
    }
    if (terms.size() == 1 && name == terms.front()) {
        return Closeness::Whole;
    }
    return begins ? Closeness::Prefix : Closeness::Infix;
}

void add_hits(std::vector<SearchHit>& hits, const std::vector<VmPtr>& vms, DeskAction action,
              const std::vector<std::string>& terms)
{
    const auto begin = static_cast<std::ptrdiff_t>(hits.size());
    for (const auto& vm : vms) {
        const auto closeness = is_possible(action, vm->record.state) ? closeness_of(vm->name(), terms) : std::nullopt;
        if (closeness) {
            hits.push_back({vm, action, *closeness});
        }
    }
    std::stable_sort(hits.begin() + begin, hits.end(),
                     [](const SearchHit& a, const SearchHit& b) { return a.closeness < b.closeness; });
}

}  // namespace

std::string_view to_string(DeskAction action) noexcept { return desk_action_words[static_cast<std::size_t>(action)]; }

std::optional<DeskAction> desk_action_of(std::string_view word) noexcept
{
    const auto* const at = std::find(desk_action_words.begin(), desk_action_words.end(), word);
    return at == desk_action_words.end() ? std::nullopt
                                         : std::optional{static_cast<DeskAction>(at - desk_action_words.begin())};
}

bool is_possible(DeskAction action, VmState state) noexcept
{
    switch (action) {
        case DeskAction::Open:
            return state != VmState::Creating && state != VmState::Deleting;
        case DeskAction::Start:
            return state == VmState::Stopped || state == VmState::Failed;
        case DeskAction::Stop:
            break;
    }
    return state == VmState::Running || state == VmState::Starting;
}

std::vector<SearchHit> search_vms(const std::vector<VmPtr>& vms, const std::vector<std::string>& terms)
{
    std::vector<std::string> words;
    for (const auto& term : terms) {
        if (words.size() == most_terms) {
            return {};
        }
        if (!term.empty()) {
            words.push_back(in_small_letters(term));
        }
    }
    if (words.empty()) {
        return {};
    }
    std::vector<SearchHit> hits;
    for (const auto verb : verbs) {
        auto others = words;
        if (std::erase(others, to_string(verb)) > 0 && !others.empty()) {
            add_hits(hits, vms, verb, others);
        }
    }
    add_hits(hits, vms, DeskAction::Open, words);
    if (hits.size() > most_hits) {
        hits.erase(hits.begin() + most_hits, hits.end());
    }
    return hits;
}

std::vector<std::string> terms_of(std::string_view line)
{
    constexpr std::string_view blanks = " \t\n\r\f\v";
    std::vector<std::string> terms;
    for (auto begin = line.find_first_not_of(blanks); begin != std::string_view::npos;) {
        const auto end = std::min(line.find_first_of(blanks, begin), line.size());
        terms.emplace_back(line.substr(begin, end - begin));
        begin = line.find_first_not_of(blanks, end);
    }
    return terms;
}

std::string result_id(const SearchHit& hit)
{
    const auto& id = hit.vm->record.id.str();
    return hit.action == DeskAction::Open ? id : std::string{to_string(hit.action)} + ":" + id;
}

ResultName parse_result(std::string_view id) noexcept
{
    for (const auto verb : verbs) {
        const auto word = to_string(verb);
        if (id.starts_with(word) && id.size() > word.size() && id[word.size()] == ':') {
            id.remove_prefix(word.size() + 1);
            return {verb, id};
        }
    }
    return {DeskAction::Open, id};
}

std::optional<SearchHit> find_result(const std::vector<VmPtr>& vms, std::string_view id)
{
    const auto name = parse_result(id);
    const auto at =
        std::find_if(vms.begin(), vms.end(), [&name](const VmPtr& vm) { return vm->record.id.str() == name.vm_id; });
    return at == vms.end() ? std::nullopt : std::optional{SearchHit{*at, name.action, Closeness::Whole}};
}

std::string title_of(const SearchHit& hit)
{
    switch (hit.action) {
        case DeskAction::Start:
            return "Start " + hit.vm->name();
        case DeskAction::Stop:
            return "Stop " + hit.vm->name();
        case DeskAction::Open:
            break;
    }
    return hit.vm->name();
}

std::string description_of(const SearchHit& hit)
{
    return std::string{to_string(hit.vm->record.state)} + ", image " + to_utf8(hit.vm->record.spec.image);
}

}  // namespace banger::agent
