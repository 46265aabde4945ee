// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's side of `vm cp` into it.
#include "guest/core/tar_copy.hpp"
#include "tests/fuzz/jail.hpp"
#include "tests/fuzz/tar_maker.hpp"

/// Shape: whether a name is replaced, then as make_tar() takes it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    static Jail jail;
    Choices choices{{data, size}};
    wire::CopyIn copy{jail.jail(), std::nullopt};
    if (choices.byte() % 2 == 1) {
        copy.rename = "new";
    }
    jail.run(make_tar(choices), [&](int fd) {
        const auto done = guest::extract_tar(fd, copy);
        demand(::lseek(fd, 0, SEEK_CUR) == ::lseek(fd, 0, SEEK_END), "the stream is read to its end");
        demand(wire::encode(wire::StreamMessage{done}).size() < wire::max_message, "the outcome fits a message");
    });
    return 0;
}
