// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/bus_rows.hpp"

#include "cli/view/listing.hpp"

namespace banger::cli::tui {
namespace {

template <typename T>
std::optional<T> value_in(const VariantMap& properties, const char* name)
{
    const auto at = properties.find(name);
    return at != properties.end() && at->second.containsValueOfType<T>() ? std::optional<T>{at->second.get<T>()}
                                                                         : std::nullopt;
}

VariantMap details_in(const VariantMap& properties)
{
    return value_in<VariantMap>(properties, "Details").value_or(VariantMap{});
}

}  // namespace

std::optional<std::string> text_in(const VariantMap& properties, const char* name)
{
    return value_in<std::string>(properties, name);
}

bool flag_in(const VariantMap& properties, const char* name, bool otherwise)
{
    return value_in<bool>(properties, name).value_or(otherwise);
}

VmRow to_row(const BusVm& row)
{
    VmRow vm;
    std::tie(vm.id, vm.name, vm.state, vm.image, vm.vcpus, vm.memory_mib, vm.disk_bytes, vm.address, vm.created, vm.vmm,
             vm.reason, vm.storage, vm.network, vm.nat, vm.warning) =
        static_cast<const std::tuple<std::string, std::string, std::string, std::string, std::uint32_t, std::uint32_t,
                                     std::uint64_t, std::string, std::int64_t, std::string, std::string, std::string,
                                     std::string, bool, std::string>&>(row);
    return vm;
}

ImageRow to_row(const BusImage& row)
{
    ImageRow image;
    std::tie(image.name, image.digest, image.size, image.used, image.origin, image.created, image.users) =
        static_cast<const std::tuple<std::string, std::string, std::uint64_t, std::uint64_t, std::string, std::int64_t,
                                     std::vector<std::string>>&>(row);
    return image;
}

HostRow to_row(const BusHostRow& row, std::size_t number)
{
    HostRow host;
    host.number = number;
    std::tie(host.check, host.verdict, host.detail, host.mend) =
        static_cast<const std::tuple<std::string, std::string, std::string, std::string>&>(row);
    return host;
}

VmRow vm_of(const VariantMap& properties)
{
    const auto details = details_in(properties);
    const auto text = [&details](const char* name) { return text_in(details, name).value_or(""); };
    VmRow vm;
    vm.id = text_in(properties, "Id").value_or("");
    vm.name = text_in(properties, "Name").value_or("");
    vm.state = text_in(properties, "State").value_or("");
    vm.image = text("image");
    vm.vcpus = value_in<std::uint32_t>(details, "vcpus").value_or(0);
    vm.memory_mib = value_in<std::uint32_t>(details, "memory_mib").value_or(0);
    vm.disk_bytes = value_in<std::uint64_t>(details, "disk_bytes").value_or(0);
    vm.address = text("address");
    vm.created = value_in<std::int64_t>(details, "created").value_or(0);
    vm.vmm = text("vmm");
    vm.reason = text("reason");
    vm.storage = text("storage");
    vm.network = text("network");
    vm.nat = flag_in(details, "nat", false);
    vm.warning = text("warning");
    return vm;
}

Facts facts_of(const VariantMap& properties)
{
    Facts facts;
    for (const auto& [key, value] : details_in(properties)) {
        facts.emplace_back(key, detail_text(key, to_json(value)));
    }
    return facts;
}

void put_changes(OperationRow& operation, const VariantMap& properties)
{
    operation.kind = text_in(properties, "Kind").value_or(operation.kind);
    operation.target = text_in(properties, "Target").value_or(operation.target);
    operation.stage = text_in(properties, "Stage").value_or(operation.stage);
    operation.state = text_in(properties, "State").value_or(operation.state);
    operation.fraction = value_in<double>(properties, "Fraction").value_or(operation.fraction);
    using BusError = sdbus::Struct<std::string, std::string>;
    if (const auto error = value_in<BusError>(properties, "Error")) {
        operation.error = error->get<1>();
    }
}

std::string id_of(std::string_view path, std::string_view kind)
{
    const auto prefix = std::string{agent_root} + "/" + std::string{kind} + "/";
    return path.starts_with(prefix) ? std::string{path.substr(prefix.size())} : std::string{};
}

std::vector<std::string> children_of(std::string_view xml)
{
    constexpr std::string_view opening = "<node name=\"";
    std::vector<std::string> names;
    for (auto at = xml.find(opening); at != std::string_view::npos; at = xml.find(opening, at)) {
        at += opening.size();
        const auto end = xml.find('"', at);
        if (end == std::string_view::npos) {
            break;
        }
        names.emplace_back(xml.substr(at, end - at));
        at = end;
    }
    return names;
}

}  // namespace banger::cli::tui
