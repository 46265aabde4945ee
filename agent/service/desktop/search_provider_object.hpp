// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <search_provider2_adaptor.hpp>
#include <string>
#include <vector>

#include "agent/service/desktop/desktop_calls.hpp"

namespace banger::agent {

/// org.gnome.Shell.SearchProvider2, from memory alone: each keystroke of a person's is a call.
class SearchProviderObject final : public sdbus::AdaptorInterfaces<org::gnome::Shell::SearchProvider2_adaptor> {
public:
    static constexpr auto path = "/dev/banger/SearchProvider";

    SearchProviderObject(sdbus::IConnection& connection, DesktopCalls calls);
    SearchProviderObject(const SearchProviderObject&) = delete;
    SearchProviderObject& operator=(const SearchProviderObject&) = delete;
    ~SearchProviderObject();

private:
    using Metas = std::vector<std::map<std::string, sdbus::Variant>>;

    std::vector<std::string> GetInitialResultSet(const std::vector<std::string>& terms) override;
    std::vector<std::string> GetSubsearchResultSet(const std::vector<std::string>& previous_results,
                                                   const std::vector<std::string>& terms) override;
    Metas GetResultMetas(const std::vector<std::string>& identifiers) override;
    void ActivateResult(const std::string& identifier, const std::vector<std::string>& terms,
                        const std::uint32_t& timestamp) override;
    void LaunchSearch(const std::vector<std::string>& terms, const std::uint32_t& timestamp) override;

    DesktopCalls calls_;
};

}  // namespace banger::agent
