// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/http_transfer.hpp"

#include <curl/curl.h>
#include <strings.h>

#include <array>
#include <charconv>
#include <exception>
#include <string_view>

#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

using Easy = c_ptr<CURL, curl_easy_cleanup>;
using Multi = c_ptr<CURLM, curl_multi_cleanup>;
using HeaderList = c_ptr<curl_slist, curl_slist_free_all>;

constexpr long slow_bytes_per_second = 1024;
constexpr int longest_wait_ms = 60'000;  // libcurl's own timers end a wait earlier
constexpr double fraction_step = 0.01;
constexpr std::size_t validator_limit = 256;

/// The value of a header line, without the blanks around it; nullopt: it is another header.
std::optional<std::string_view> value_of_header(std::string_view line, std::string_view name)
{
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        ::strncasecmp(line.data(), name.data(), name.size()) != 0) {
        return std::nullopt;
    }
    line.remove_prefix(name.size() + 1);
    constexpr std::string_view blanks = " \t\r\n";
    const auto begin = line.find_first_not_of(blanks);
    return begin == std::string_view::npos ? "" : line.substr(begin, line.find_last_not_of(blanks) - begin + 1);
}

/// RFC 9110, section 14.4: "bytes FIRST-LAST/LENGTH".
std::optional<std::uint64_t> begin_of_range(std::string_view value)
{
    constexpr std::string_view unit = "bytes ";
    std::uint64_t begin = 0;
    if (!value.starts_with(unit)) {
        return std::nullopt;
    }
    value.remove_prefix(unit.size());
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), begin);
    return problem == std::errc{} && end != value.data() + value.size() && *end == '-' ? std::optional{begin}
                                                                                       : std::nullopt;
}

void note_header(TransferReply& reply, std::string_view line)
{
    if (line.starts_with("HTTP/")) {
        reply = {};  // what came before belongs to a redirect
    } else if (const auto tag = value_of_header(line, "ETag")) {
        // RFC 9110, section 13.1.5: a weak one may not be used for If-Range.
        if (tag->starts_with('"') && tag->size() <= validator_limit) {
            reply.validator = *tag;
        }
    } else if (const auto time = value_of_header(line, "Last-Modified")) {
        if (reply.validator.empty() && time->size() <= validator_limit) {
            reply.validator = *time;
        }
    } else if (const auto range = value_of_header(line, "Content-Range")) {
        reply.begin = begin_of_range(*range);
    }
}

/// Its callbacks are called by libcurl, through which no exception may pass.
class Transfer {
public:
    Transfer(const TransferRequest& request, const TransferSink& sink, TransferReply& reply,
             const RuntimeProgress& progress, const DownloadLimits& limits)
        : request_{&request}, sink_{&sink}, reply_{&reply}, progress_{&progress}
    {
        if (!easy_ || !multi_) {
            throw Error{ErrorCode::Failed, "libcurl can't be used: no memory"};
        }
        set(CURLOPT_URL, request.url.c_str());
        set(CURLOPT_PROTOCOLS_STR, request.schemes == UrlSchemes::Any ? "https,http,file" : "https");
        set(CURLOPT_REDIR_PROTOCOLS_STR, request.schemes == UrlSchemes::Any ? "https,http" : "https");
        set(CURLOPT_FOLLOWLOCATION, 1L);
        set(CURLOPT_MAXREDIRS, limits.redirects);
        set(CURLOPT_FAILONERROR, 1L);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(limits.connect.count()));
        set(CURLOPT_LOW_SPEED_LIMIT, limits.stall.count() > 0 ? slow_bytes_per_second : 0L);
        set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall.count()));
        set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.size.bytes()));
        set(CURLOPT_USERAGENT, "banger");
        set(CURLOPT_ERRORBUFFER, problem_.data());
        ask_for_the_rest();
        set_callbacks();
    }

    void run()
    {
        curl_multi_add_handle(multi_.get(), easy_.get());
        Rollback detach;
        detach.add([this] { curl_multi_remove_handle(multi_.get(), easy_.get()); });
        const std::stop_callback wake{progress_->stop, [this] { curl_multi_wakeup(multi_.get()); }};
        int running = 1;
        while (running > 0) {
            curl_multi_perform(multi_.get(), &running);
            if (progress_->stop.stop_requested()) {
                throw Error{ErrorCode::Cancelled, "cancelled"};
            }
            if (running > 0) {
                curl_multi_poll(multi_.get(), nullptr, 0, longest_wait_ms, nullptr);
            }
        }
        int more = 0;
        const auto* message = curl_multi_info_read(multi_.get(), &more);
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &reply_->status);
        check(message != nullptr ? message->data.result : CURLE_FAILED_INIT);
        begin_once();  // of what is empty
    }

private:
    template <typename Value>
    void set(CURLoption option, Value value)
    {
        if (const auto outcome = curl_easy_setopt(easy_.get(), option, value); outcome != CURLE_OK) {
            throw Error{ErrorCode::Failed, std::string{"libcurl can't be used: "} + curl_easy_strerror(outcome)};
        }
    }

    /// By hand: with CURLOPT_RESUME_FROM a server that sends all of it again would be an error.
    void ask_for_the_rest()
    {
        if (request_->from == 0) {
            return;
        }
        set(CURLOPT_RANGE, (std::to_string(request_->from) + "-").c_str());
        if (!request_->validator.empty()) {
            headers_.reset(curl_slist_append(nullptr, ("If-Range: " + request_->validator).c_str()));
            set(CURLOPT_HTTPHEADER, headers_.get());
        }
    }

    void set_callbacks()
    {
        set(CURLOPT_WRITEDATA, this);
        set(
            CURLOPT_WRITEFUNCTION, +[](const char* data, std::size_t one, std::size_t size, void* self) noexcept {
                return static_cast<Transfer*>(self)->take(data, one * size);
            });
        set(CURLOPT_HEADERDATA, this);
        set(
            CURLOPT_HEADERFUNCTION, +[](const char* data, std::size_t one, std::size_t size, void* self) noexcept {
                return static_cast<Transfer*>(self)->take_header(data, one * size);
            });
        set(CURLOPT_XFERINFODATA, this);
        set(
            CURLOPT_XFERINFOFUNCTION,
            +[](void* self, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) noexcept {
                return static_cast<Transfer*>(self)->tell(total, now);
            });
        set(CURLOPT_NOPROGRESS, 0L);
    }

    std::size_t take_header(const char* data, std::size_t size) noexcept
    {
        try {
            note_header(*reply_, {data, size});
            return size;
        } catch (...) {
            failure_ = std::current_exception();
            return 0;
        }
    }

    void begin_once()
    {
        if (!begun_) {
            begun_ = true;
            curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &reply_->status);
            sink_->begin(*reply_);
        }
    }

    std::size_t take(const char* data, std::size_t size) noexcept
    {
        try {
            begin_once();
            sink_->take({reinterpret_cast<const std::uint8_t*>(data), size});
            return size;
        } catch (...) {
            failure_ = std::current_exception();
            return 0;
        }
    }

    int tell(curl_off_t total, curl_off_t now) noexcept
    {
        const auto before = reply_->begin ? static_cast<double>(*reply_->begin) : 0;
        const double fraction =
            total > 0 ? (before + static_cast<double>(now)) / (before + static_cast<double>(total)) : 0;
        try {
            if (begun_ && fraction >= told_ + fraction_step) {
                told_ = fraction;
                progress_->fraction(fraction);
            }
            return 0;
        } catch (...) {
            failure_ = std::current_exception();
            return 1;
        }
    }

    void check(CURLcode outcome) const
    {
        if (failure_) {
            std::rethrow_exception(failure_);
        }
        if (outcome == CURLE_OK) {
            return;
        }
        if (outcome == CURLE_FILESIZE_EXCEEDED) {
            throw Error{ErrorCode::CorruptData, "it is larger than it can rightly be"};
        }
        const std::string detail{problem_.front() != '\0' ? problem_.data() : curl_easy_strerror(outcome)};
        throw Error{ErrorCode::Unavailable, detail};
    }

    const TransferRequest* request_;
    const TransferSink* sink_;
    TransferReply* reply_;
    const RuntimeProgress* progress_;
    std::array<char, CURL_ERROR_SIZE> problem_{};
    std::exception_ptr failure_;
    double told_{0};
    bool begun_{false};
    HeaderList headers_;
    Multi multi_{curl_multi_init()};
    Easy easy_{curl_easy_init()};
};

}  // namespace

void transfer(const TransferRequest& request, const TransferSink& sink, TransferReply& reply,
              const RuntimeProgress& progress, const DownloadLimits& limits)
{
    Transfer{request, sink, reply, progress, limits}.run();
}

}  // namespace banger::agent
