// SPDX-License-Identifier: GPL-2.0-or-later
// A DNS query as anybody on the host may send it.
#include "agent/system/dns_answer.hpp"
#include "tests/fuzz/harness.hpp"

using banger::agent::answer_dns;
using banger::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr std::size_t header = 12;
    constexpr std::uint8_t response = 0x80;
    const auto answer = answer_dns({data, size}, {.name = "web.vm", .address = 0x0ad50002});
    demand(answer.empty() || answer.size() >= header, "an answer has a header");
    demand(answer.size() <= 512 || size > 255 + header + 4,
           "an answer to what may be one question fits into any datagram");
    demand(answer.empty() || ((answer[2] & response) != 0 && answer[0] == data[0] && answer[1] == data[1]),
           "it is the answer to this query");
    return 0;
}
