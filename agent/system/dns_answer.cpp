// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/dns_answer.hpp"

#include <arpa/inet.h>
#include <ldns/ldns.h>

#include <cstdlib>

#include "common/c_ptr.hpp"

namespace banger::agent {
namespace {

using Packet = c_ptr<ldns_pkt, ldns_pkt_free>;

bool is_name(const ldns_rr& question, const std::string& name)
{
    const c_ptr<ldns_rdf, ldns_rdf_deep_free> wanted{ldns_dname_new_frm_str(name.c_str())};
    return wanted && ldns_dname_compare(ldns_rr_owner(&question), wanted.get()) == 0;  // of either case
}

void add_address(ldns_pkt& answer, const ldns_rr& question, std::uint32_t address)
{
    const std::uint32_t wire = htonl(address);
    auto* const data = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof wire, &wire);
    auto* const row = ldns_rr_new();
    ldns_rr_set_owner(row, ldns_rdf_clone(ldns_rr_owner(&question)));
    ldns_rr_set_type(row, LDNS_RR_TYPE_A);
    ldns_rr_set_class(row, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(row, 0);
    ldns_rr_push_rdf(row, data);
    ldns_pkt_push_rr(&answer, LDNS_SECTION_ANSWER, row);
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
    if (!is_name(*question, known.name)) {
        return LDNS_RCODE_NXDOMAIN;
    }
    if (ldns_rr_get_type(question) == LDNS_RR_TYPE_A && ldns_rr_get_class(question) == LDNS_RR_CLASS_IN) {
        add_address(answer, *question, known.address);
    }
    return LDNS_RCODE_NOERROR;
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
    ldns_pkt_set_aa(answer.get(), true);
    ldns_pkt_set_rd(answer.get(), ldns_pkt_rd(asked.get()));
    ldns_pkt_set_rcode(answer.get(), fill(*answer, *asked, known));
    std::uint8_t* wire = nullptr;
    std::size_t size = 0;
    if (ldns_pkt2wire(&wire, answer.get(), &size) != LDNS_STATUS_OK) {
        return {};
    }
    const c_ptr<std::uint8_t, std::free> owned{wire};
    return {wire, wire + size};
}

}  // namespace banger::agent
