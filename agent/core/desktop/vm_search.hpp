// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/vm/vm.hpp"

namespace banger::agent {

/// What a desktop does to a VM that was found.
enum class DeskAction { Open, Start, Stop };
/// open, start or stop.
std::string_view to_string(DeskAction action) noexcept;
/// nullopt for an unknown word.
std::optional<DeskAction> desk_action_of(std::string_view word) noexcept;
/// Whether it makes sense for a VM in this state. One that is to be opened is started first where it doesn't run.
bool is_possible(DeskAction action, VmState state) noexcept;

/// How well a name fits what was typed, the best first.
enum class Closeness { Whole, Prefix, Infix };

struct SearchHit {
    VmPtr vm;
    DeskAction action;
    Closeness closeness;
};

/// No desktop shows more.
inline constexpr std::size_t most_hits = 20;
/// A name has 63 characters: nobody who looks for one types more words.
inline constexpr std::size_t most_terms = 16;

/// The VMs whose name has every term in it, in any case: the whole name first, then those that begin with a term, then the others; in each the
/// order of `vms`. Where one of several terms is `start` or `stop`, also that action on those that the other terms name, before the rest.
/// At most `most_hits`; none without a term, or with more than `most_terms`.
std::vector<SearchHit> search_vms(const std::vector<VmPtr>& vms, const std::vector<std::string>& terms);

/// The words of a line that somebody typed.
std::vector<std::string> terms_of(std::string_view line);

/// Names a hit to a shell that gives it back later. Shape: the VM's id, behind "start:" or "stop:" where that is meant.
std::string result_id(const SearchHit& hit);
/// The same, taken apart; a word that is none of ours gives an Open of an id that no VM has.
struct ResultName {
    DeskAction action;
    std::string_view vm_id;
};
ResultName parse_result(std::string_view id) noexcept;

/// The VM and the action that a result's id names; nullopt where the VM is gone, or never was.
std::optional<SearchHit> find_result(const std::vector<VmPtr>& vms, std::string_view id);

/// For people: "calm-otter", "Start calm-otter".
std::string title_of(const SearchHit& hit);
/// "running, image debian".
std::string description_of(const SearchHit& hit);

}  // namespace banger::agent
