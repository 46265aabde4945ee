// SPDX-License-Identifier: GPL-2.0-or-later
// A names file with anything in it, as libnss_banger reads it in every process of the user's.
#include "agent/nss/scan.hpp"
#include "tests/fuzz/harness.hpp"

using namespace banger;
using fuzz::demand;

namespace {

std::optional<nss::Entry> scan(std::string_view text, const nss::Question& question, std::size_t size)
{
    nss::Scan scan{question};
    while (!text.empty()) {
        const auto piece = text.substr(0, size);
        text.remove_prefix(piece.size());
        if (!scan.feed({piece.data(), piece.size()})) {
            break;
        }
    }
    return scan.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr std::size_t piece = 7;
    const auto text = fuzz::text_of({data, size});
    const nss::Question question{.name = "web.vm"};
    const auto whole = scan(text, question, size + 1);
    const auto cut = scan(text, question, piece);
    demand(whole.has_value() == cut.has_value(), "a file says the same however its pieces are cut");
    demand(!whole || (whole->name.text() == question.name && whole->address == cut->address),
           "what is found is what was looked for");
    demand(!whole || text.starts_with(nss::header), "a file is believed for its first line");
    if (const auto name = nss::HostName::of(text)) {
        demand(nss::HostName::of(name->text())->text() == name->text(), "a name's name is itself");
        demand(name->text().size() <= text.size() && name->text().ends_with(nss::domain), "a name is a VM's");
    }
    return 0;
}
