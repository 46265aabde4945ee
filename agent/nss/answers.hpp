// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netdb.h>
#include <nss.h>

#include <cstddef>

#include "agent/nss/names_files.hpp"

// glibc's interface (its manual, "NSS Modules Interface"), with the place that is asked as a parameter.
namespace banger::nss {

/// The caller's memory for what an answer points to.
struct Memory {
    char* data;
    std::size_t size;
};

/// Where the caller is told why; most often `error` is errno itself.
struct Reasons {
    int* error;       ///< untouched but with NSS_STATUS_TRYAGAIN (ERANGE: `memory` is too small) and NSS_STATUS_UNAVAIL
    int* host_error;  ///< as h_errno
};

/// `family` other than AF_INET: NO_DATA for a VM that runs.
nss_status host_by_name(const Place& place, const char* name, int family, hostent& result, Memory memory,
                        Reasons reasons) noexcept;
/// *result is filled where it is not null, else pointed into `memory`.
nss_status tuple_by_name(const Place& place, const char* name, gaih_addrtuple** result, Memory memory,
                         Reasons reasons) noexcept;
nss_status host_by_address(const Place& place, const void* address, socklen_t size, int family, hostent& result,
                           Memory memory, Reasons reasons) noexcept;

}  // namespace banger::nss
