// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/firewall.hpp"
#include "broker/system/nft_library.hpp"
#include "broker/system/nft_listing.hpp"

namespace banger::broker {

/// The firewall by libnftables; nft_script.hpp has the layout. A new object knows of no TAP: restore() tells it which there are.
class Nftables final : public Firewall {
public:
    void add(const SandboxNetwork& network) override;
    void remove(const SandboxNetwork& network) override;
    void set_nat(const SandboxNetwork& network) override;
    /// TAPs that are gone get no chain in `netdev`, which can't be without its device.
    void restore(const std::vector<SandboxNetwork>& networks) override;
    /// False before the first call, too. Costs one message to the kernel while nobody changes any rule, else a listing.
    bool is_whole() override;
    /// Those that an earlier broker has switched on: nothing is done yet, and each restore() guards them, until set_uplinks() says otherwise. What no
    /// rule can name is left out, as it was never switched on.
    void expect_uplinks(std::vector<std::string> interfaces);
    /// Interfaces whose forwarding the broker switches on: called with them before that, and without them after it is off again. Costs one message
    /// where the rules are known to say so.
    void set_uplinks(const std::vector<std::string>& interfaces);

private:
    /// What of `ip filter` concerns us: the chain that our accepts go into, "" for none, and those that are there.
    struct Foreign {
        std::string chain;
        std::map<std::string, std::vector<ForeignRule>> rules;  ///< by chain
    };

    Foreign look();
    bool is_clean();
    static std::string without_foreign(const Foreign& foreign, const SandboxNetwork* network);
    std::optional<std::uint32_t> whole_at();
    void change(const std::string& script, std::optional<std::uint32_t> before);
    std::string listing();

    NftLibrary nft_;
    bool told_{false};  ///< by restore(): from then on no TAP left means that nothing of ours stays
    std::map<std::string, SandboxNetwork> known_{};  ///< by altname
    std::vector<std::string> uplinks_{};
    std::optional<std::uint32_t> generation_{};  ///< at which all was last known to be as we made it
    std::optional<std::string> whole_{};         ///< what was listed at it
};

}  // namespace banger::broker
