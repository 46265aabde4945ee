// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/nftables.hpp"

#include <net/if.h>

#include <algorithm>
#include <utility>

#include "broker/system/legacy_forward.hpp"
#include "broker/system/nft_script.hpp"
#include "common/error.hpp"

namespace banger::broker {
namespace {

constexpr auto docker_chain = "DOCKER-USER";  // Docker leaves it to the administrator, and asks it first
constexpr auto forward_chain = "FORWARD";
constexpr int race_limit = 5;  // somebody else may delete a rule between our look and our transaction

void check_legacy(const SandboxNetwork& network)
{
    if (network.nat == Nat::On && legacy_forward_may_drop()) {
        throw Error{ErrorCode::HostLacks,
                    "iptables-legacy drops what is forwarded, which no rule of banger's can change; as root: "
                    "iptables-legacy -I FORWARD -i bgr+ -j ACCEPT; iptables-legacy -I FORWARD -o bgr+ -j ACCEPT"};
    }
}

}  // namespace

Nftables::Foreign Nftables::look()
{
    Foreign foreign;
    const auto chains = nft_.list("list chains ip", NftLibrary::Handles::No).value_or("");
    for (const std::string chain : {docker_chain, forward_chain}) {
        if (!has_filter_chain(chains, chain)) {
            continue;
        }
        const auto text = nft_.list("list chain ip filter " + chain, NftLibrary::Handles::Yes).value_or("");
        if (auto rules = own_rules(text); !rules.empty()) {
            foreign.rules[chain] = std::move(rules);
        }
        if (foreign.chain.empty() && (chain == docker_chain || may_drop(text))) {
            foreign.chain = chain;
        }
    }
    return foreign;
}

/// Our rules of this TAP, or of all where there is none, away.
std::string Nftables::without_foreign(const Foreign& foreign, const SandboxNetwork* network)
{
    std::string script;
    for (const auto& [chain, rules] : foreign.rules) {
        for (const auto& rule : rules) {
            const bool is_unnamed = rule.altname.empty();
            if (network == nullptr || rule.altname == network->altname || (is_unnamed && rule.tap == network->tap)) {
                script += "delete rule ip filter " + chain + " handle " + std::to_string(rule.handle) + "\n";
            }
        }
    }
    return script;
}

/// The generation now, if all is as we made it; else what was taken from us must not look whole after a change of our own.
std::optional<std::uint32_t> Nftables::whole_at()
{
    const bool is_known = generation_ && (nft_.generation() == *generation_ || is_whole());
    return is_known ? generation_ : std::nullopt;
}

/// One transaction, which finds the tables or makes them. All is whole after it if it came right after `before`: whole_at(), or any where the
/// script makes all anew.
void Nftables::change(const std::string& script, std::optional<std::uint32_t> before)
{
    if (nft_.run(script) == NftLibrary::Outcome::Absent &&
        nft_.run(nft_skeleton() + nft_set_uplinks(uplinks_) + script) == NftLibrary::Outcome::Absent) {
        throw Error{ErrorCode::NotFound, "the firewall misses something that banger's rules name"};
    }
    whole_.reset();
    generation_.reset();
    if (before && nft_.generation() == *before + 1) {
        generation_ = *before + 1;
    }
}

void Nftables::add(const SandboxNetwork& network)
{
    check_legacy(network);
    const auto before = whole_at();
    const auto foreign = look();
    auto script = nft_add(network) + nft_add_ingress(network) + without_foreign(foreign, &network);
    if (!foreign.chain.empty()) {
        script += nft_add_foreign(foreign.chain, network);
    }
    change(script, before);
    known_.insert_or_assign(network.altname, network);
}

void Nftables::remove(const SandboxNetwork& network)
{
    known_.erase(network.altname);
    if (told_ && known_.empty() && uplinks_.empty()) {
        const auto before = nft_.generation();
        change(nft_without_tables() + without_foreign(look(), nullptr), before);
        return;
    }
    const auto before = whole_at();
    const bool last =
        std::none_of(known_.begin(), known_.end(), [&](const auto& entry) { return entry.second.uid == network.uid; });
    for (int attempt = 1;; ++attempt) {
        // A chain that others' TAPs still use can't go: after a start that nobody has told us of, that is how we learn it.
        const auto user = last && attempt == 1 ? LastOfUser::Yes : LastOfUser::No;
        try {
            change(nft_remove(network, user) + without_foreign(look(), &network), before);
            return;
        } catch (const Error&) {
            if (attempt == race_limit) {
                throw;
            }
        }
    }
}

void Nftables::set_nat(const SandboxNetwork& network)
{
    check_legacy(network);
    change(nft_set_nat(network), whole_at());
    known_.insert_or_assign(network.altname, network);
}

/// Nothing of ours is there. Most starts find it so, and then change nothing.
bool Nftables::is_clean()
{
    const auto now = nft_.generation();
    const auto tables = "\n" + nft_.list("list tables", NftLibrary::Handles::No).value_or("");
    for (const auto* table : {"\ntable inet banger\n", "\ntable netdev banger\n"}) {
        if (tables.find(table) != std::string::npos) {
            return false;
        }
    }
    if (!look().rules.empty()) {
        return false;
    }
    whole_.reset();
    generation_ = now;
    return true;
}

void Nftables::restore(const std::vector<SandboxNetwork>& networks)
{
    told_ = true;
    known_.clear();
    const bool is_needed = !networks.empty() || !uplinks_.empty();
    if (!is_needed && is_clean()) {
        return;
    }
    auto ours = nft_without_tables();
    if (is_needed) {
        ours += nft_skeleton() + nft_set_uplinks(uplinks_);
    }
    for (const auto& network : networks) {
        known_.insert_or_assign(network.altname, network);
        ours += nft_add(network) + (::if_nametoindex(network.tap.c_str()) != 0 ? nft_add_ingress(network) : "");
    }
    for (int attempt = 1;; ++attempt) {
        const auto before = nft_.generation();
        const auto foreign = look();
        auto script = ours + without_foreign(foreign, nullptr);
        for (const auto& network : networks) {
            script += foreign.chain.empty() ? "" : nft_add_foreign(foreign.chain, network);
        }
        try {
            change(script, before);
            return;
        } catch (const Error&) {
            if (attempt == race_limit) {
                throw;
            }
        }
    }
}

void Nftables::expect_uplinks(std::vector<std::string> interfaces)
{
    std::erase_if(interfaces, [](const std::string& name) { return !nft_can_write(name); });
    uplinks_ = std::move(interfaces);
}

void Nftables::set_uplinks(const std::vector<std::string>& interfaces)
{
    if (told_ && known_.empty() && interfaces.empty()) {
        if (!std::exchange(uplinks_, {}).empty()) {
            change(nft_without_tables(), nft_.generation());
        }
        return;
    }
    if (interfaces == uplinks_ && generation_ == nft_.generation()) {
        return;
    }
    change(nft_set_uplinks(interfaces), whole_at());
    uplinks_ = interfaces;
}

std::string Nftables::listing()
{
    std::string text;
    for (const auto* table : {"list table inet banger", "list table netdev banger"}) {
        text += nft_.list(table, NftLibrary::Handles::No).value_or("");
    }
    const auto foreign = look();
    text += "accepts go to " + foreign.chain + "\n";
    for (const auto& [chain, rules] : foreign.rules) {
        for (const auto& rule : rules) {
            text.append(chain).append(": ").append(rule.text).append("\n");
        }
    }
    return text;
}

bool Nftables::is_whole()
{
    for (int attempt = 0; generation_ && attempt < race_limit; ++attempt) {
        const auto now = nft_.generation();
        if (now == *generation_ && whole_) {
            return true;
        }
        if (now != *generation_ && !whole_) {
            return false;
        }
        auto text = listing();
        if (nft_.generation() != now) {
            continue;  // rules changed under the listing
        }
        if (whole_ && text != *whole_) {
            return false;
        }
        whole_ = std::move(text);
        generation_ = now;
        return true;
    }
    return false;
}

}  // namespace banger::broker
