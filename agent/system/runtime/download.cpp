// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/download.hpp"

#include <curl/curl.h>
#include <unistd.h>

#include <array>
#include <exception>

#include "agent/system/runtime/file_writer.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

using Easy = c_ptr<CURL, curl_easy_cleanup>;
using Multi = c_ptr<CURLM, curl_multi_cleanup>;

constexpr long slow_bytes_per_second = 1024;
constexpr int longest_wait_ms = 60'000;  // libcurl's own timers end a wait earlier
constexpr double fraction_step = 0.01;

/// One transfer; its callbacks are called by libcurl, through which no exception may pass.
class Transfer {
public:
    Transfer(const std::string& url, UrlSchemes schemes, const DownloadLimits& limits, FileWriter& file,
             const RuntimeProgress& progress)
        : file_{&file}, progress_{&progress}
    {
        if (!easy_ || !multi_) {
            throw Error{ErrorCode::Failed, "libcurl can't be used: no memory"};
        }
        set(CURLOPT_URL, url.c_str());
        set(CURLOPT_PROTOCOLS_STR, schemes == UrlSchemes::Any ? "https,http,file" : "https");
        set(CURLOPT_REDIR_PROTOCOLS_STR, schemes == UrlSchemes::Any ? "https,http" : "https");
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
        set(CURLOPT_WRITEDATA, this);
        set(
            CURLOPT_WRITEFUNCTION, +[](const char* data, std::size_t one, std::size_t size, void* self) noexcept {
                return static_cast<Transfer*>(self)->take(data, one * size);
            });
        set(CURLOPT_XFERINFODATA, this);
        set(
            CURLOPT_XFERINFOFUNCTION,
            +[](void* self, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) noexcept {
                return static_cast<Transfer*>(self)->tell(total, now);
            });
        set(CURLOPT_NOPROGRESS, 0L);
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
        check(message != nullptr ? message->data.result : CURLE_FAILED_INIT);
    }

private:
    template <typename Value>
    void set(CURLoption option, Value value)
    {
        if (const auto outcome = curl_easy_setopt(easy_.get(), option, value); outcome != CURLE_OK) {
            throw Error{ErrorCode::Failed, std::string{"libcurl can't be used: "} + curl_easy_strerror(outcome)};
        }
    }

    std::size_t take(const char* data, std::size_t size) noexcept
    {
        try {
            file_->add({reinterpret_cast<const std::uint8_t*>(data), size});
            return size;
        } catch (...) {
            failure_ = std::current_exception();
            return 0;
        }
    }

    int tell(curl_off_t total, curl_off_t now) noexcept
    {
        const double fraction = total > 0 ? static_cast<double>(now) / static_cast<double>(total) : 0;
        try {
            if (fraction >= told_ + fraction_step) {
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

    FileWriter* file_;
    const RuntimeProgress* progress_;
    std::array<char, CURL_ERROR_SIZE> problem_{};
    std::exception_ptr failure_;
    double told_{0};
    Multi multi_{curl_multi_init()};
    Easy easy_{curl_easy_init()};
};

}  // namespace

void download(const std::string& url, UrlSchemes schemes, const std::filesystem::path& file,
              const RuntimeProgress& progress, const DownloadLimits& limits)
{
    FileWriter writer{file, limits.size, url};
    Rollback remove;
    remove.add([&file] { ::unlink(file.c_str()); });
    Transfer{url, schemes, limits, writer, progress}.run();
    remove.commit();
}

}  // namespace banger::agent
