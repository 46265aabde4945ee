// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/answers.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

namespace banger::nss {
namespace {

using Name = std::array<char, name_limit + 1>;

/// What a hostent points to.
struct HostData {
    Name name;
    in_addr_t address;
    std::array<char*, 1> aliases;
    std::array<char*, 2> addresses;
};

struct TupleData {
    gaih_addrtuple tuple;
    Name name;
};

nss_status absent(Reasons reasons, int why = HOST_NOT_FOUND)
{
    *reasons.host_error = why;
    return NSS_STATUS_NOTFOUND;
}

nss_status too_small(Reasons reasons)
{
    *reasons.error = ERANGE;
    *reasons.host_error = NETDB_INTERNAL;
    return NSS_STATUS_TRYAGAIN;
}

nss_status found(Reasons reasons)
{
    *reasons.host_error = NETDB_SUCCESS;
    return NSS_STATUS_SUCCESS;
}

nss_status not_found(const LookUp& answer, Reasons reasons)
{
    if (answer.finding == Finding::Unreadable) {
        *reasons.error = answer.error;
        *reasons.host_error = NO_RECOVERY;
        return NSS_STATUS_UNAVAIL;
    }
    return absent(reasons);
}

/// A T in the caller's memory, or null where it doesn't fit.
template <typename T>
T* make_in(Memory memory)
{
    void* at = memory.data;
    auto size = memory.size;
    if (at == nullptr || std::align(alignof(T), sizeof(T), at, size) == nullptr) {
        return nullptr;
    }
    return new (at) T{};
}

/// Nothing is opened for a name that isn't a VM's.
LookUp look_up_name(const Place& place, const char* asked)
{
    constexpr std::size_t longest = name_limit + 1;  // the dot at the end
    const auto wanted = asked == nullptr ? std::nullopt : HostName::of({asked, ::strnlen(asked, longest + 1)});
    return wanted ? look_up(place, {.name = wanted->text()}) : LookUp{};
}

nss_status fill(const Entry& entry, hostent& result, Memory memory, Reasons reasons)
{
    auto* const data = make_in<HostData>(memory);
    if (data == nullptr) {
        return too_small(reasons);
    }
    data->name = entry.name.chars();
    data->address = entry.address;
    data->addresses[0] = reinterpret_cast<char*>(&data->address);
    result = {.h_name = data->name.data(),
              .h_aliases = data->aliases.data(),
              .h_addrtype = AF_INET,
              .h_length = sizeof data->address,
              .h_addr_list = data->addresses.data()};
    return found(reasons);
}

}  // namespace

nss_status host_by_name(const Place& place, const char* name, int family, hostent& result, Memory memory,
                        Reasons reasons) noexcept
{
    const auto answer = look_up_name(place, name);
    if (answer.finding != Finding::Found) {
        return not_found(answer, reasons);
    }
    return family == AF_INET ? fill(answer.entry, result, memory, reasons) : absent(reasons, NO_DATA);
}

nss_status tuple_by_name(const Place& place, const char* name, gaih_addrtuple** result, Memory memory,
                         Reasons reasons) noexcept
{
    const auto answer = look_up_name(place, name);
    if (answer.finding != Finding::Found) {
        return not_found(answer, reasons);
    }
    auto* const data = make_in<TupleData>(memory);
    if (data == nullptr) {
        return too_small(reasons);
    }
    data->name = answer.entry.name.chars();
    data->tuple.name = data->name.data();
    data->tuple.family = AF_INET;
    data->tuple.addr[0] = answer.entry.address;
    if (*result != nullptr) {
        **result = data->tuple;
    } else {
        *result = &data->tuple;
    }
    return found(reasons);
}

nss_status host_by_address(const Place& place, const void* address, socklen_t size, int family, hostent& result,
                           Memory memory, Reasons reasons) noexcept
{
    Question question{};
    if (family != AF_INET || size != sizeof question.address || address == nullptr) {
        return absent(reasons);
    }
    std::memcpy(&question.address, address, sizeof question.address);
    const auto answer = look_up(place, question);
    if (answer.finding != Finding::Found) {
        return not_found(answer, reasons);
    }
    return fill(answer.entry, result, memory, reasons);
}

}  // namespace banger::nss
