// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/desktop/search_provider_object.hpp"

#include <algorithm>

#include "agent/service/dispatch.hpp"

namespace banger::agent {

SearchProviderObject::SearchProviderObject(sdbus::IConnection& connection, DesktopCalls calls)
    : AdaptorInterfaces{connection, sdbus::ObjectPath{path}}, calls_{calls}
{
    registerAdaptor();
}

SearchProviderObject::~SearchProviderObject() { unregisterAdaptor(); }

std::vector<std::string> SearchProviderObject::GetInitialResultSet(const std::vector<std::string>& terms)
{
    ++calls_.count;
    return answer("GetInitialResultSet", [&] {
        std::vector<std::string> results;
        for (const auto& hit : search_vms(calls_.vms.list(), terms)) {
            results.push_back(result_id(hit));
        }
        return results;
    });
}

std::vector<std::string> SearchProviderObject::GetSubsearchResultSet(const std::vector<std::string>&,
                                                                     const std::vector<std::string>& terms)
{
    return GetInitialResultSet(
        terms);  // of more than `most_hits` the one that is wanted now may not have been among the first
}

SearchProviderObject::Metas SearchProviderObject::GetResultMetas(const std::vector<std::string>& identifiers)
{
    ++calls_.count;
    return answer("GetResultMetas", [&] {
        const auto vms = calls_.vms.list();
        Metas metas;
        for (std::size_t at = 0; at < std::min(identifiers.size(), most_hits); ++at) {
            if (const auto hit = find_result(vms, identifiers[at])) {
                metas.push_back({{"id", sdbus::Variant{result_id(*hit)}},
                                 {"name", sdbus::Variant{title_of(*hit)}},
                                 {"description", sdbus::Variant{description_of(*hit)}},
                                 {"gicon", sdbus::Variant{std::string{desktop_icon}}}});
            }
        }
        return metas;
    });
}

void SearchProviderObject::ActivateResult(const std::string& identifier, const std::vector<std::string>&,
                                          const std::uint32_t&)
{
    ++calls_.count;
    answer("ActivateResult", [&] { calls_.desk.act(get_result(calls_.vms, identifier)); });
}

void SearchProviderObject::LaunchSearch(const std::vector<std::string>&, const std::uint32_t&)
{
    ++calls_.count;
    answer("LaunchSearch", [&] { calls_.desk.open_tui(); });
}

}  // namespace banger::agent
