// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/vm/vm_record.hpp"

// The VM's folder as such. For worker threads: it touches the disk.
namespace banger::agent {

/// Mode 0700, parents too. Throws NoSpace, Failed.
void make_private_folder(const std::filesystem::path& folder);
/// Writes a file whole or not at all, and syncs it. Throws NoSpace, Failed.
void write_whole(const std::filesystem::path& path, const nlohmann::json& json);
/// The same; threads may write the same file at once, and one of them is the last.
void write_text_whole(const std::filesystem::path& path, std::string_view text);

/// Writes vm.json whole or not at all, and syncs it. Throws NoSpace, Failed.
void write_description(const std::filesystem::path& folder, const nlohmann::json& description);

/// Of vm_folder::fresh, which a VM has whose guest is to get an identity of its own. Throws NoSpace, Failed.
void put_mark(const std::filesystem::path& folder, const char* name);
/// Its guest was ready: vm_folder::fresh becomes vm_folder::unwelcomed. One that was ready before is fine. Throws NoSpace, Failed.
void end_first_boot(const std::filesystem::path& folder);

/// Writes run.json: what is about to run the VM (vmm, network, address). Throws NoSpace, Failed.
void write_run_notes(const std::filesystem::path& folder, const VmRecord& record);

/// The word that begins the ids of all sandboxes of this state folder's VMs. Made at random once, and kept in the folder, so that no two
/// folders have the same: whoever finds a sandbox with it and no VM may remove it. Throws CorruptData, NoSpace, Failed.
std::string sandbox_owner_of(const std::filesystem::path& state);

/// A stopped row for each folder that holds a whole VM, with what its run notes say; damaged folders and `known_ids` are passed over.
std::vector<VmRecord> described_vms(const std::filesystem::path& vms, const std::vector<std::string>& known_ids);

/// Renames it out of the way first, so that a half-removed one is never taken for a VM. One that isn't there is fine. Throws Failed.
void remove_folder(const std::filesystem::path& folder);
/// Of a VM that nothing is done to: removes what a killed bangerd had begun, a larger work disk or the copies of an export, which are as large as disks.
void remove_leftover_files(const std::filesystem::path& folder) noexcept;
/// The same of all VMs that are known, and removes renamed folders, and folders of ids that no row has and no description is in. What isn't named after
/// an id stays: it isn't ours.
void remove_leftover_folders(const std::filesystem::path& vms, const std::vector<std::string>& known_ids);

}  // namespace banger::agent
