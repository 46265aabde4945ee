// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/rows.hpp"
#include "cli/tui/sheet.hpp"

namespace banger::cli::tui {

const std::string& key_of(const VmRow& vm);
std::string words_of(const VmRow& vm);
std::string key_of(const ImageRow& image);
std::string words_of(const ImageRow& image);
const std::string& key_of(const OperationRow& operation);
std::string words_of(const OperationRow& operation);
std::string key_of(const HostRow& row);
std::string words_of(const HostRow& row);

enum class VmOrder { Name, State, Newest };
Sheet<VmRow>::Before before(VmOrder order);
std::string_view name_of(VmOrder order);

/// What bangerd says of all VMs, or of one, in place of what is there. What they used until now is kept for those that still run.
void put_vms(Sheet<VmRow>& vms, std::vector<VmRow> rows);
void put_vm(Sheet<VmRow>& vms, VmRow row);
/// False: there is no such VM here.
bool set_state(Sheet<VmRow>& vms, const std::string& id, const std::string& state);
/// A sample of Manager.Stats.
void put_numbers(Sheet<VmRow>& vms, const std::string& id, Numbers numbers);

/// Whether there is a guest that numbers can be had of.
bool runs(const VmRow& vm);
/// "tap+nat", as `vm list` has it.
std::string network_of(const VmRow& vm);

}  // namespace banger::cli::tui
