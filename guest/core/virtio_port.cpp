// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "guest/core/channel.hpp"

namespace banger::guest {
namespace {

constexpr std::string_view port_name = "dev.banger.guest";

/// /dev/vportNpM of our port; udev's names are not there yet in an initrd.
std::string find_port()
{
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{"/sys/class/virtio-ports", ignored}) {
        std::ifstream file{entry.path() / "name"};
        std::string name;
        if (std::getline(file, name) && name == port_name) {
            return "/dev/" + entry.path().filename().string();
        }
    }
    throw Error{ErrorCode::NotFound, "This VM has no virtio-serial port named " + std::string{port_name}};
}

/// From "the host has gone" to believing it. The kernel hears of it on another queue than of data, so a new host's first bytes may
/// well be here before the word that the old one left (seen in 5 of 100 quick reconnections), and it must not be taken for the new
/// one's. A new host that is there says so itself, by its Sync.
constexpr std::chrono::milliseconds absence{1000};

/// While no host is connected, poll() reports a hang-up without end (drivers/char/virtio_console.c, port_fops_poll), and a
/// level-triggered epoll would spin. Edge-triggered it is told once; the driver wakes its queue when a host comes, when
/// bytes come, and when the output queue has room again.
class VirtioPort : public Channel {
public:
    VirtioPort(Loop& loop, UniqueFd fd) : loop_{loop}, fd_{std::move(fd)} {}

    void start(Events events) override
    {
        events_ = std::move(events);
        watch_ = loop_.watch(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLET, [this](std::uint32_t what) {
            notice_host((what & EPOLLHUP) == 0);
            events_.ready();
        });
        loop_.defer(events_.ready);
    }

    std::size_t read(std::span<std::uint8_t> buffer) override
    {
        const auto count = ::read(fd_.get(), buffer.data(), buffer.size());
        if (count <= 0) {
            return 0;
        }
        connected_ = true;
        return static_cast<std::size_t>(count);
    }

    std::size_t write(wire::ByteView data) override
    {
        const auto count = ::write(fd_.get(), data.data(), data.size());
        return count > 0 ? static_cast<std::size_t>(count) : 0;
    }

private:
    void notice_host(bool there)
    {
        if (there) {
            absent_.reset();
        } else if (connected_ && !absent_) {
            absent_ = loop_.after(absence, [this] {
                absent_.reset();
                pollfd now{fd_.get(), 0, 0};
                if (::poll(&now, 1, 0) == 1 && (now.revents & POLLHUP) != 0) {
                    connected_ = false;
                    events_.disconnected();
                }
            });
        }
    }

    Loop& loop_;
    UniqueFd fd_;
    Events events_;
    bool connected_{false};  ///< bytes came since the host was last gone
    Loop::Timer absent_;
    Loop::Watch watch_;
};

}  // namespace

std::unique_ptr<Channel> open_virtio_port(Loop& loop)
{
    const auto path = find_port();
    UniqueFd fd{::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (!fd) {
        throw errno_error("The guest channel " + path + " can't be opened", errno);
    }
    return std::make_unique<VirtioPort>(loop, std::move(fd));
}

}  // namespace banger::guest
