// SPDX-License-Identifier: GPL-2.0-or-later
// What glibc looks for in libnss_banger.so.2, by these names. libnss_banger.map lets nothing else out.
#include <unistd.h>

#include "agent/nss/answers.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): glibc's names

namespace {

using namespace banger::nss;

/// Never from the environment, which a setuid program has from its caller: what root runs knows root's VMs, whoever started it.
Place own_place() { return {.run = "/run/user", .user = ::geteuid()}; }

/// 0, as a VM may have another address after its next start.
void set_time_to_live(int32_t* seconds)
{
    if (seconds != nullptr) {
        *seconds = 0;
    }
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

nss_status _nss_banger_gethostbyname4_r(const char* name, gaih_addrtuple** result, char* buffer, std::size_t size,
                                        int* error, int* host_error, int32_t* ttl)
{
    set_time_to_live(ttl);
    return tuple_by_name(own_place(), name, result, {buffer, size}, {error, host_error});
}

nss_status _nss_banger_gethostbyname3_r(const char* name, int family, hostent* result, char* buffer, std::size_t size,
                                        int* error, int* host_error, int32_t* ttl, char** canonical)
{
    set_time_to_live(ttl);
    const auto status = host_by_name(own_place(), name, family, *result, {buffer, size}, {error, host_error});
    if (status == NSS_STATUS_SUCCESS && canonical != nullptr) {
        *canonical = result->h_name;
    }
    return status;
}

nss_status _nss_banger_gethostbyname2_r(const char* name, int family, hostent* result, char* buffer, std::size_t size,
                                        int* error, int* host_error)
{
    return host_by_name(own_place(), name, family, *result, {buffer, size}, {error, host_error});
}

nss_status _nss_banger_gethostbyname_r(const char* name, hostent* result, char* buffer, std::size_t size, int* error,
                                       int* host_error)
{
    return host_by_name(own_place(), name, AF_INET, *result, {buffer, size}, {error, host_error});
}

nss_status _nss_banger_gethostbyaddr2_r(const void* address, socklen_t length, int family, hostent* result,
                                        char* buffer, std::size_t size, int* error, int* host_error, int32_t* ttl)
{
    set_time_to_live(ttl);
    return host_by_address(own_place(), address, length, family, *result, {buffer, size}, {error, host_error});
}

nss_status _nss_banger_gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* result, char* buffer,
                                       std::size_t size, int* error, int* host_error)
{
    return host_by_address(own_place(), address, length, family, *result, {buffer, size}, {error, host_error});
}

}  // extern "C"
#pragma GCC visibility pop

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
