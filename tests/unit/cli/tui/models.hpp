// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/tui/keys.hpp"
#include "cli/tui/model.hpp"

namespace banger::cli::tui {

inline VmRow a_vm(const std::string& name, const std::string& state = "stopped")
{
    VmRow vm;
    vm.id = (name + "------------").substr(0, 12);
    vm.name = name;
    vm.state = state;
    vm.image = "debian";
    vm.vcpus = 2;
    vm.memory_mib = 2048;
    vm.disk_bytes = std::uint64_t{16} << 30U;
    vm.storage = "file";
    if (state == "running") {
        vm.vmm = "qemu-kvm";
        vm.network = "user";
    }
    return vm;
}

/// Three VMs, of which one runs, an image, an operation and what Doctor said.
inline void fill(Model& model, Size size)
{
    model.size = size;
    model.about.version = "0.1.0";
    model.knows_vms = true;
    put_vms(model.vms, {a_vm("amber-fox"), a_vm("brave-owl", "running"), a_vm("calm-otter", "failed")});
    model.vms.find(a_vm("calm-otter").id)->reason = "the guest was not ready within 120 s";
    model.images.replace({{"debian",
                           "0123456789abcdef",
                           std::uint64_t{16} << 30U,
                           std::uint64_t{400} << 20U,
                           "debian bookworm",
                           1'780'000'000,
                           {"amber-fox", "brave-owl"}}});
    model.operations.replace({{.path = "/dev/banger/Agent1/operation/7",
                               .kind = "start",
                               .target = "brave-owl",
                               .stage = "waiting for the guest",
                               .fraction = 0.5}});
    model.host.replace({{0, "bangerd", "ok", "PID 7", ""},
                        {1, "default image", "missing", "there is none yet", "banger image build"}});
}

inline std::optional<Intent> press(Model& model, char c)
{
    return press(model, Key{Key::Kind::Character, static_cast<char32_t>(c)});
}
inline std::optional<Intent> press(Model& model, Key::Kind kind) { return press(model, Key{kind}); }
inline void type(Model& model, const std::string& text)
{
    for (const char c : text) {
        press(model, c);
    }
}

}  // namespace banger::cli::tui
