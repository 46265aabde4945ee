// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace banger::broker {

/// Whether iptables-legacy's rules, which no rule of nftables overrides, may drop what a TAP's guest sends through the host: chain FORWARD of its
/// table `filter` drops by its policy or has other rules than accepts, and does not begin with an accept each of `-i bgr+` and `-o bgr+`. The
/// table is read as the kernel gives it (linux/netfilter_ipv4/ip_tables.h); one that nobody has used yet is not loaded. Throws Failed.
bool legacy_forward_may_drop();

}  // namespace banger::broker
