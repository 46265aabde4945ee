// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/dns_answer.hpp"

#include <arpa/inet.h>
#include <ldns/ldns.h>

#include <array>
#include <cstdlib>

#include "common/c_ptr.hpp"

namespace banger::agent {
namespace {

using Packet = c_ptr<ldns_pkt, ldns_pkt_free>;

using Name = c_ptr<ldns_rdf, ldns_rdf_deep_free>;

/// A VM may have another address after its next start.
const std::string time_to_live = " 1 IN ";
const std::string domain = "vm.";

Name name_of(const std::string& text) { return Name{ldns_dname_new_frm_str(text.c_str())}; }

bool is_name(const ldns_rdf* asked, const Name& name)
{
    return name && ldns_dname_compare(asked, name.get()) == 0;  // of either case
}

bool is_below(const ldns_rdf* asked, const Name& name) { return name && ldns_dname_is_subdomain(asked, name.get()); }

/// The name by which an address is asked for, RFC 1035, section 3.5.
Name reverse_name(std::uint32_t address)
{
    const std::uint32_t wire = htonl(address);
    const c_ptr<ldns_rdf, ldns_rdf_deep_free> data{ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof wire, &wire)};
    return Name{data ? ldns_rdf_address_reverse(data.get()) : nullptr};
}

std::string dotted(std::uint32_t address)
{
    const in_addr wire{htonl(address)};
    std::array<char, INET_ADDRSTRLEN> text{};
    return ::inet_ntop(AF_INET, &wire, text.data(), text.size());
}

/// `text`: as in a zone file, of our own making.
void add_row(ldns_pkt& answer, ldns_pkt_section section, const std::string& text)
{
    ldns_rr* row = nullptr;
    if (ldns_rr_new_frm_str(&row, text.c_str(), 0, nullptr, nullptr) == LDNS_STATUS_OK) {
        ldns_pkt_push_rr(&answer, section, row);
    }
}

/// What makes "no such name" and "nothing of that type" be kept a second, and no longer (RFC 2308).
void add_authority(ldns_pkt& answer, const std::string& zone)
{
    add_row(answer, LDNS_SECTION_AUTHORITY,
            zone + time_to_live + "SOA " + zone + " hostmaster." + domain + " 1 1 1 1 1");
}

ldns_pkt_rcode fill_name(ldns_pkt& answer, ldns_rr_type type, const DnsName& known)
{
    if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_ANY) {
        add_row(answer, LDNS_SECTION_ANSWER, known.name + "." + time_to_live + "A " + dotted(known.address));
    } else {
        add_authority(answer, known.name + ".");
    }
    return LDNS_RCODE_NOERROR;
}

ldns_pkt_rcode fill_address(ldns_pkt& answer, ldns_rr_type type, const Name& reverse, const DnsName& known)
{
    const c_ptr<char, std::free> zone{ldns_rdf2str(reverse.get())};
    if (!zone) {
        return LDNS_RCODE_SERVFAIL;
    }
    if (type == LDNS_RR_TYPE_PTR || type == LDNS_RR_TYPE_ANY) {
        add_row(answer, LDNS_SECTION_ANSWER, zone.get() + time_to_live + "PTR " + known.name + ".");
    } else {
        add_authority(answer, zone.get());
    }
    return LDNS_RCODE_NOERROR;
}

ldns_pkt_rcode fill(ldns_pkt& answer, const ldns_pkt& query, const DnsName& known)
{
    if (ldns_pkt_get_opcode(&query) != LDNS_PACKET_QUERY) {
        return LDNS_RCODE_NOTIMPL;
    }
    if (ldns_pkt_qdcount(&query) != 1) {
        return LDNS_RCODE_FORMERR;
    }
    const auto* const question = ldns_rr_list_rr(ldns_pkt_question(&query), 0);
    ldns_pkt_push_rr(&answer, LDNS_SECTION_QUESTION, ldns_rr_clone(question));
    const auto* const asked = ldns_rr_owner(question);
    const auto type = ldns_rr_get_type(question);
    if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN) {
        return LDNS_RCODE_REFUSED;
    }
    if (is_name(asked, name_of(known.name))) {
        return fill_name(answer, type, known);
    }
    if (const auto reverse = reverse_name(known.address); is_name(asked, reverse)) {
        return fill_address(answer, type, reverse, known);
    }
    if (is_below(asked, name_of(known.name))) {
        add_authority(answer, known.name + ".");
        return LDNS_RCODE_NXDOMAIN;
    }
    if (is_name(asked, name_of(domain)) || is_below(asked, name_of(domain))) {
        add_authority(answer, domain);
        // That .vm didn't exist would say so of all names below it (RFC 8020).
        return is_name(asked, name_of(domain)) ? LDNS_RCODE_NOERROR : LDNS_RCODE_NXDOMAIN;
    }
    return LDNS_RCODE_REFUSED;
}

}  // namespace

std::vector<std::uint8_t> answer_dns(std::span<const std::uint8_t> query, const DnsName& known)
{
    ldns_pkt* parsed = nullptr;
    if (ldns_wire2pkt(&parsed, query.data(), query.size()) != LDNS_STATUS_OK) {
        return {};
    }
    const Packet asked{parsed};
    if (ldns_pkt_qr(asked.get())) {
        return {};  // an answer; two servers must not talk to each other for ever
    }
    const Packet answer{ldns_pkt_new()};
    if (!answer) {
        return {};
    }
    ldns_pkt_set_id(answer.get(), ldns_pkt_id(asked.get()));
    ldns_pkt_set_opcode(answer.get(), ldns_pkt_get_opcode(asked.get()));
    ldns_pkt_set_qr(answer.get(), true);
    ldns_pkt_set_rd(answer.get(), ldns_pkt_rd(asked.get()));
    const auto code = fill(*answer, *asked, known);
    ldns_pkt_set_rcode(answer.get(), code);
    ldns_pkt_set_aa(answer.get(), code == LDNS_RCODE_NOERROR || code == LDNS_RCODE_NXDOMAIN);
    std::uint8_t* wire = nullptr;
    std::size_t size = 0;
    if (ldns_pkt2wire(&wire, answer.get(), &size) != LDNS_STATUS_OK) {
        return {};
    }
    const c_ptr<std::uint8_t, std::free> owned{wire};
    return {wire, wire + size};
}

}  // namespace banger::agent
