// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/create_options.hpp"

#include "cli/connect/environment.hpp"
#include "common/error.hpp"
#include "common/size.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <limits>

namespace banger::cli {
namespace {

std::uint32_t memory_mib(const std::string& text)
{
    const auto size = ByteSize::parse(text, mib);
    if (size.mib() < 1 || size.mib() > std::numeric_limits<std::uint32_t>::max()) {
        throw Error{ErrorCode::InvalidArgument, "memory can't be " + text + "; write it like 512, 512M or 2G"};
    }
    return static_cast<std::uint32_t>(size.mib());
}

/// A name is short and plain; one that isn't would be refused by bangerd too, but only after a look for the others.
std::string non_empty(const std::string& text, const std::string& what)
{
    if (text.empty()) {
        throw Error{ErrorCode::InvalidArgument, what + " can't be empty (\"\")"};
    }
    return text;
}

/// Not Parameter::one_of(): CLI11's newer versions (2.4) pass over a variable's value that doesn't hold, in silence.
void check_word(const std::optional<std::string>& word, const std::string& what,
                std::initializer_list<std::string_view> known)
{
    if (!word || std::find(known.begin(), known.end(), *word) != known.end()) {
        return;
    }
    std::string list;
    for (const auto one : known) {
        list += (list.empty() ? "" : ", ") + std::string{one};
    }
    throw Error{ErrorCode::InvalidArgument, what + " can't be \"" + word->substr(0, 64) + "\"; there are " + list};
}

}  // namespace

std::uint32_t parse_count(const std::string& text, const std::string& what)
{
    std::uint32_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size()) {
        throw Error{ErrorCode::InvalidArgument, what + " must be a whole number, not \"" + text.substr(0, 64) + "\""};
    }
    return number;
}

void put_sandbox_options(VariantMap& map, const std::optional<bool>& nat, const std::optional<std::string>& overlay)
{
    if (nat) {
        map.emplace("nat", sdbus::Variant{*nat});
    }
    if (overlay) {
        map.emplace("overlay_bytes", sdbus::Variant{ByteSize::parse(*overlay).bytes()});
    }
}

VariantMap change_of(const std::optional<std::string>& vcpus, const std::optional<std::string>& memory,
                     const std::optional<std::string>& disk)
{
    VariantMap map;
    if (vcpus) {
        map.emplace("vcpus", sdbus::Variant{parse_count(*vcpus, "--vcpu")});
    }
    if (memory) {
        map.emplace("memory_mib", sdbus::Variant{memory_mib(*memory)});
    }
    if (disk) {
        map.emplace("disk_bytes", sdbus::Variant{ByteSize::parse(*disk).bytes()});
    }
    return map;
}

void CreateOptions::add_to(Command command)
{
    command.option("--name", name, "a name; else two words are made up").value_name("NAME");
    command.option("--image", image, "an image's name or digest").variable("BANGER_IMAGE").value_name("IMAGE");
    command.option("--kernel", kernel, "a kernel's name").variable("BANGER_KERNEL").value_name("KERNEL");
    command.option("--vcpu,--cpus", vcpus, "virtual CPUs").variable("BANGER_VCPU").value_name("N");
    command.option("--memory", memory, "memory, in MiB or like 2G").variable("BANGER_MEMORY").value_name("SIZE");
    command.option("--disk-size", disk, "the disk at /root, like 16G").variable("BANGER_DISK_SIZE").value_name("SIZE");
    command.option("--network", network, "auto, user, tap or none").variable("BANGER_NETWORK").value_name("KIND");
    command.flag("--nat,!--no-nat", nat,
                 "a TAP whose guest reaches more than this host and your VMs; --no-nat: no such thing");
    command.option("--storage", storage, "the root disk: auto, file or dm-snapshot")
        .variable("BANGER_STORAGE")
        .value_name("KIND");
    command.option("--system-overlay-size", overlay, "what a dm-snapshot may come to on this host, like 16G")
        .variable("BANGER_SYSTEM_OVERLAY_SIZE")
        .value_name("SIZE");
    command.flag("--allow-host-loopback", allow_host_loopback,
                 "let the guest reach this host's own addresses, and 127.0.0.1 as its gateway");
    command.option("--vmm", vmm, "auto, firecracker, qemu-kvm or qemu-tcg").variable("BANGER_VMM").value_name("VMM");
    command.option("--disk-rate", disk_rate, "bytes a second to and from each disk, like 50M").value_name("SIZE");
    command.option("--disk-iops", disk_iops, "operations a second on each disk").value_name("N");
    command.option("--network-rate", network_rate, "bytes a second each way, like 10M; Firecracker only")
        .value_name("SIZE");
    command.option("--timeout", timeout, "seconds that the guest may take to get ready (120); 0: no limit")
        .value_name("SECONDS");
    command.flag("--dry-run", dry_run, "check everything, say what would be made, make nothing");
    command.flag("--no-build", no_build,
                 "fail where the default image or kernel is not there yet, rather than make it");
}

VariantMap CreateOptions::to_map() const
{
    auto map = change_of(vcpus, memory, disk);
    check_word(network, "--network", {"auto", "user", "tap", "none"});
    check_word(storage, "--storage", {"auto", "file", "dm-snapshot"});
    put_sandbox_options(map, nat, overlay);
    check_word(vmm, "--vmm", {"auto", "firecracker", "qemu-kvm", "qemu-tcg"});
    const auto put_text = [&map](const char* key, const std::optional<std::string>& value, const std::string& what) {
        if (value) {
            map.emplace(key, sdbus::Variant{non_empty(*value, what)});
        }
    };
    put_text("name", name, "--name");
    put_text("image", image, "--image");
    put_text("kernel", kernel, "--kernel");
    put_text("network", network, "--network");
    put_text("vmm", vmm, "--vmm");
    put_text("storage", storage, "--storage");
    if (timeout) {
        map.emplace("ready_timeout_s", sdbus::Variant{parse_count(*timeout, "--timeout")});
    }
    if (disk_rate) {
        map.emplace("disk_rate", sdbus::Variant{ByteSize::parse(*disk_rate).bytes()});
    }
    if (disk_iops) {
        map.emplace("disk_iops", sdbus::Variant{parse_count(*disk_iops, "--disk-iops")});
    }
    if (network_rate) {
        map.emplace("network_rate", sdbus::Variant{ByteSize::parse(*network_rate).bytes()});
    }
    if (allow_host_loopback) {
        map.emplace("allow_host_loopback", sdbus::Variant{true});
    }
    if (dry_run) {
        map.emplace("dry_run", sdbus::Variant{true});
    }
    put_settings(map);
    return map;
}

}  // namespace banger::cli
