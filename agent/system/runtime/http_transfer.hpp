// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime.hpp"
#include "common/size.hpp"

namespace banger::agent {

struct DownloadLimits {
    std::chrono::seconds connect{20};  ///< until the server answers
    std::chrono::seconds stall{30};    ///< with less than 1 KiB a second; 0: no limit
    ByteSize size{256 * mib};
    long redirects{5};
};

struct TransferRequest {
    std::string url;
    UrlSchemes schemes;
    std::uint64_t from{0};    ///< of an earlier one that broke: the bytes from there on
    std::string validator{};  ///< of that earlier one: where it holds no more, all bytes are to come (If-Range)
};

/// What a server says before the first byte.
struct TransferReply {
    long status{0};                        ///< of HTTP; 0: none yet, or another protocol
    std::string validator{};               ///< a strong ETag, else Last-Modified, else empty
    std::optional<std::uint64_t> begin{};  ///< of Content-Range
};

struct TransferSink {
    std::function<void(const TransferReply& reply)> begin;  ///< once, before the first byte; not for a failure
    std::function<void(std::span<const std::uint8_t> bytes)> take;
};

/// One transfer by libcurl. Proxies come from the environment, as for curl(1); redirects lead to the same kinds of URL only (but never to
/// files). `reply` is filled in as it comes, also when the transfer fails then. Worker thread.
/// Throws Unavailable (not reached, not found, too slow), CorruptData (larger than the limit), Cancelled, what the sink throws.
void transfer(const TransferRequest& request, const TransferSink& sink, TransferReply& reply,
              const RuntimeProgress& progress, const DownloadLimits& limits);

}  // namespace banger::agent
