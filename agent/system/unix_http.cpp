// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/unix_http.hpp"

#include <curl/curl.h>
#include <fcntl.h>

#include <cerrno>
#include <map>

#include "common/c_ptr.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t body_limit = std::size_t{1} << 20U;
constexpr std::size_t headers_limit = std::size_t{64} << 10U;

/// One request, from its start to its answer.
struct Transfer {
    c_ptr<CURL, curl_easy_cleanup> handle;
    c_ptr<curl_slist, curl_slist_free_all> headers;
    std::string request;
    std::string answer;
    std::size_t header_bytes{0};
    Promise<HttpAnswer> promise;
};

std::size_t take_body(const char* data, std::size_t, std::size_t size, void* user) noexcept
{
    auto& answer = *static_cast<std::string*>(user);
    if (answer.size() + size > body_limit) {
        return 0;  // which ends the transfer
    }
    answer.append(data, size);
    return size;
}

/// Trailers come here, too; libcurl keeps them all.
std::size_t count_header(const char*, std::size_t, std::size_t size, void* user) noexcept
{
    auto& bytes = *static_cast<std::size_t*>(user);
    bytes += size;
    return bytes <= headers_limit ? size : 0;
}

void initialise_once()
{
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (!ready) {
        throw Error{ErrorCode::Failed, "libcurl does not initialise"};
    }
}

Error error_of(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return Error{ErrorCode::TimedOut, "it did not answer in time"};
    }
    return Error{ErrorCode::Unavailable, curl_easy_strerror(code)};
}

}  // namespace

/// libcurl's multi_socket interface on our loop: libcurl-multi(3), "MULTI_SOCKET".
class UnixHttp::Connection {
public:
    Connection(EventLoop& loop, const std::filesystem::path& folder, const std::string& name)
        : loop_{&loop}, folder_{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)}
    {
        if (!folder_) {
            throw errno_error("can't open " + folder.string(), errno);
        }
        path_ = "/proc/self/fd/" + std::to_string(folder_.get()) + "/" + name;
        initialise_once();
        multi_.reset(curl_multi_init());
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Connection::on_socket);
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Connection::on_timer);
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { fail_all(Error{ErrorCode::Unavailable, "nobody waits any more"}); }

    Promise<HttpAnswer> begin(const std::string& method, const std::string& path, std::string body,
                              std::chrono::milliseconds limit)
    {
        auto transfer = std::make_unique<Transfer>();
        transfer->handle = take_handle();
        CURL* handle = transfer->handle.get();
        transfer->request = std::move(body);
        transfer->headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
        curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, path_.c_str());
        curl_easy_setopt(handle, CURLOPT_URL, ("http://localhost" + path).c_str());
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer->headers.get());
        if (!transfer->request.empty()) {
            curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer->request.size()));
            curl_easy_setopt(handle, CURLOPT_POSTFIELDS, transfer->request.c_str());
        }
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &take_body);
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer->answer);
        curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &count_header);
        curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer->header_bytes);
        curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle, CURLOPT_PROXY, "");  // whatever the environment says
        auto promise = transfer->promise;
        curl_multi_add_handle(multi_.get(), handle);
        transfers_.emplace(handle, std::move(transfer));
        return promise;
    }

    void fail_all(const Error& why)
    {
        for (auto& [handle, transfer] : std::exchange(transfers_, {})) {
            curl_multi_remove_handle(multi_.get(), handle);
            loop_->post([promise = transfer->promise, why] { promise.fail(std::make_exception_ptr(why)); });
        }
    }

private:
    /// The last one's, where that has ended: requests come one after the other, and a new handle costs more than a reset.
    c_ptr<CURL, curl_easy_cleanup> take_handle()
    {
        return spare_ ? std::move(spare_) : c_ptr<CURL, curl_easy_cleanup>{curl_easy_init()};
    }

    static int on_socket(CURL*, curl_socket_t fd, int what, void* user, void*) noexcept
    {
        auto& self = *static_cast<Connection*>(user);
        self.sources_.erase(fd);
        if (what != CURL_POLL_REMOVE) {
            const auto events = ((what & CURL_POLL_IN) != 0 ? EventLoop::readable : 0U) |
                                ((what & CURL_POLL_OUT) != 0 ? EventLoop::writable : 0U);
            self.sources_.emplace(
                fd, self.loop_->on_io(fd, events, [&self, fd](std::uint32_t ready) { self.on_ready(fd, ready); }));
        }
        return 0;
    }

    static int on_timer(CURLM*, long milliseconds, void* user) noexcept
    {
        auto& self = *static_cast<Connection*>(user);
        self.timer_.reset();
        if (milliseconds >= 0) {
            self.timer_ = self.loop_->after(std::chrono::milliseconds{milliseconds},
                                            [&self] { self.go_on(CURL_SOCKET_TIMEOUT, 0); });
        }
        return 0;
    }

    void on_ready(int fd, std::uint32_t events)
    {
        const auto bits = ((events & EventLoop::readable) != 0 ? CURL_CSELECT_IN : 0) |
                          ((events & EventLoop::writable) != 0 ? CURL_CSELECT_OUT : 0) |
                          ((events & ~(EventLoop::readable | EventLoop::writable)) != 0 ? CURL_CSELECT_ERR : 0);
        go_on(fd, bits);
    }

    void go_on(curl_socket_t fd, int events)
    {
        int running = 0;
        curl_multi_socket_action(multi_.get(), fd, events, &running);
        int left = 0;
        while (const auto* message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg == CURLMSG_DONE) {
                finish(message->easy_handle, message->data.result);
            }
        }
    }

    /// By the loop, as who waits may destroy us.
    void finish(CURL* handle, CURLcode code)
    {
        const auto at = transfers_.find(handle);
        if (at == transfers_.end()) {
            return;
        }
        const auto transfer = std::move(at->second);
        transfers_.erase(at);
        HttpAnswer answer{0, std::move(transfer->answer)};
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
        curl_multi_remove_handle(multi_.get(), handle);
        // Nothing of this request's may be left in it: its buffers go with the transfer.
        curl_easy_reset(handle);
        spare_ = std::move(transfer->handle);
        loop_->post([promise = transfer->promise, code, answer = std::move(answer)]() mutable {
            if (code == CURLE_OK) {
                promise.set(std::move(answer));
            } else {
                promise.fail(std::make_exception_ptr(error_of(code)));
            }
        });
    }

    EventLoop* loop_;
    UniqueFd folder_;
    std::string path_;
    std::map<curl_socket_t, EventLoop::Source> sources_;
    EventLoop::Source timer_;
    std::map<CURL*, std::unique_ptr<Transfer>> transfers_;
    c_ptr<CURL, curl_easy_cleanup> spare_;
    c_ptr<CURLM, curl_multi_cleanup> multi_;  // first to go: it tells on_socket() what it closes
};

UnixHttp::UnixHttp(EventLoop& loop, const std::filesystem::path& folder, const std::string& name)
    : connection_{std::make_unique<Connection>(loop, folder, name)}
{
}

UnixHttp::~UnixHttp() = default;

Task<HttpAnswer> UnixHttp::send(std::string method, std::string path, std::string body, std::chrono::milliseconds limit)
{
    const auto promise = connection_->begin(method, path, std::move(body), limit);
    co_return co_await promise.wait();
}

void UnixHttp::fail_all(const Error& why) { connection_->fail_all(why); }

}  // namespace banger::agent
