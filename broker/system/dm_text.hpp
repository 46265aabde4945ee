// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/ports/device_mapper.hpp"

namespace banger::broker {

constexpr std::uint64_t sector = 512;  // bytes; device-mapper counts in these, whatever the disk's own are

/// A snapshot's line of a table, after "0 SECTORS snapshot". Shape: MAJ:MIN MAJ:MIN PO 8
std::string snapshot_table(BlockDevice base, BlockDevice cow);
/// What dm-snapshot.c's snapshot_status() says: "Invalid", "Overflow", "Merge failed", "Unknown" or USED/TOTAL METADATA in sectors; with a
/// word, both sizes are 0. Throws Failed for anything else.
SnapshotStatus parse_snapshot_status(std::string_view text, bool held);
/// The second device of a table as the kernel gives it back. Throws Failed.
BlockDevice parse_snapshot_cow(std::string_view table);

}  // namespace banger::broker
