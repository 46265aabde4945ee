// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "agent/core/vm/vm_record.hpp"

namespace banger::agent {

enum class BootKind { First, Later };

/// What every guest's kernel is told, on each VMM; the banger.* keys are banger-guest's (guest/README.md).
/// A panic resets, which ends the VMM; probing for a PC's old keyboard controller and 48 serial ports would cost most of a second.
inline std::string kernel_arguments(const std::string& host_name)
{
    return "console=ttyS0 quiet loglevel=3 panic=1 8250.nr_uarts=1 i8042.noaux i8042.nomux i8042.dumbkbd "
           "banger.hostname=" +
           host_name;
}

/// What this boot of this VM is told beyond that, behind what the VMM says of its disks: the last of two words counts.
inline std::string kernel_arguments_of_boot(BootKind boot, HomePlace home)
{
    return std::string{boot == BootKind::First ? " banger.first-boot=1" : ""} +
           (home == HomePlace::Image ? " banger.work=" : "");
}

}  // namespace banger::agent
