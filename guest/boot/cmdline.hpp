// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace banger::guest {

/// What the host tells the guest on the kernel's command line. Keys of others are ignored.
struct BootOptions {
    std::string root;                      ///< banger.root=: /dev/vdX or serial=NAME
    std::string modules;                   ///< banger.modules=, the same; empty: none
    std::string work;                      ///< banger.work=, the same; empty: none
    std::string hostname;                  ///< banger.hostname=
    std::string channel{"virtio-serial"};  ///< banger.channel=
    std::string init{"auto"};              ///< banger.init=: auto, guest or a path
    bool reset_to_power_off{false};        ///< banger.poweroff=reset: the VMM ends on a reset alone
    bool probe{false};                     ///< banger.probe=1: say ready and power off
    bool first_boot{false};  ///< banger.first-boot=1: of a machine, so what its image was is not what it is
};

/// Shape: words with double quotes as in the kernel's Documentation/admin-guide/kernel-parameters.rst.
BootOptions parse_cmdline(std::string_view text);

/// Of /proc/cmdline.
BootOptions read_cmdline();

}  // namespace banger::guest
