// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/proxies.hpp"
#include "cli/tui/rows.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

// What bangerd says, as rows. Missing or strange values are left at their defaults: a newer bangerd may know better.
namespace banger::cli::tui {

using BusVm =
    sdbus::Struct<std::string, std::string, std::string, std::string, std::uint32_t, std::uint32_t, std::uint64_t,
                  std::string, std::int64_t, std::string, std::string, std::string, std::string, bool, std::string>;
using BusImage = sdbus::Struct<std::string, std::string, std::uint64_t, std::uint64_t, std::string, std::int64_t,
                               std::vector<std::string>>;
using BusHostRow = sdbus::Struct<std::string, std::string, std::string, std::string>;
using BusNumbers = sdbus::Struct<std::string, std::string, std::string, Numbers>;

VmRow to_row(const BusVm& row);
ImageRow to_row(const BusImage& row);
HostRow to_row(const BusHostRow& row, std::size_t number);

/// Of a Vm's properties, all of them.
VmRow vm_of(const VariantMap& properties);
/// As `vm show` tells them.
Facts facts_of(const VariantMap& properties);
/// Puts in what has changed of an Operation.
void put_changes(OperationRow& operation, const VariantMap& properties);
/// A text among properties; nullopt: it isn't there.
std::optional<std::string> text_in(const VariantMap& properties, const char* name);
bool flag_in(const VariantMap& properties, const char* name, bool otherwise);

/// "/dev/banger/Agent1/vm/ID" -> "ID" for `kind` "vm"; "" where it is another kind.
std::string id_of(std::string_view path, std::string_view kind);
/// The names of the children that an introspection answer lists.
std::vector<std::string> children_of(std::string_view xml);

}  // namespace banger::cli::tui
