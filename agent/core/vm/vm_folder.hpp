// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

// The names inside a VM's folder. A VMM works there and gets only these, so that a snapshot can be restored elsewhere.
namespace banger::agent::vm_folder {

inline constexpr auto root_disk = "root.img";  ///< a file, or a symlink to a device
inline constexpr auto work_disk = "work.img";
inline constexpr auto larger_work_disk = "work.img.new";  ///< while it grows
inline constexpr auto root_copy = "root.copy";            ///< of a device, while the VM is exported
inline constexpr auto export_log = "export.log";          ///< the same
inline constexpr auto copied_disk = ".source";            ///< symlink to the disk that is being copied
inline constexpr auto modules_disk = "modules.img";       ///< symlink into the cache
inline constexpr auto kernel = "kernel";                  ///< symlink into the cache
inline constexpr auto initrd = "initrd";                  ///< symlink into the cache
inline constexpr auto console_log = "console.log";
inline constexpr auto qemu_log = "qemu.log";                        ///< what QEMU says itself
inline constexpr auto firecracker_log = "firecracker.log";          ///< what Firecracker says itself
inline constexpr auto firecracker_metrics = "firecracker.metrics";  ///< JSON lines, one a minute
inline constexpr auto description = "vm.json";                      ///< the spec, for when the database is lost
inline constexpr auto run_notes = "run.json";                       ///< what runs it, for when the database is lost
inline constexpr auto fresh = "fresh";                              ///< until its guest was ready once
inline constexpr auto unwelcomed = "unwelcomed";                    ///< from then on until that has the user's files
inline constexpr auto guest_socket = "guest.sock";
inline constexpr auto control_socket = "control.sock";
inline constexpr auto network_socket = "net.sock";  ///< banger-netguard's, for the VMM
inline constexpr auto passt_socket = "passt.sock";  ///< passt's, for banger-netguard

}  // namespace banger::agent::vm_folder
