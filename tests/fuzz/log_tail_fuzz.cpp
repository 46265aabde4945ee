// SPDX-License-Identifier: GPL-2.0-or-later
// A console's last lines, which become part of a sentence on the bus.
#include <sys/mman.h>
#include <unistd.h>

#include "agent/core/vm/log_tail.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"
#include "tests/fuzz/harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const banger::UniqueFd log{::memfd_create("log", MFD_CLOEXEC)};
    demand(log && ::write(log.get(), data, size) == static_cast<ssize_t>(size), "a log in memory can be written");
    const auto tail = banger::agent::tail_of_log("/proc/self/fd/" + std::to_string(log.get()));
    demand(tail.size() <= 1024, "a tail is 1 KiB at most");
    demand(banger::to_utf8(tail) == tail, "a tail is UTF-8");
    for (std::size_t i = 0; i < tail.size(); ++i) {
        const auto byte = static_cast<unsigned char>(tail[i]);
        demand((byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t', "a tail has no control characters");
        demand(byte != 0xc2 || static_cast<unsigned char>(tail[i + 1]) >= 0xa0, "a tail has no C1 control characters");
    }
    demand(!tail.ends_with('\n'), "a tail ends in text");
    const auto text = text_of({data, size});
    if (size <= 1024 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz \n") == std::string_view::npos) {
        demand(text.starts_with(tail) && text.find_first_not_of('\n', tail.size()) == std::string_view::npos,
               "a short log of plain text is its own tail");
    }
    return 0;
}
