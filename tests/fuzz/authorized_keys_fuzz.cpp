// SPDX-License-Identifier: GPL-2.0-or-later
// An authorized_keys of the guest's own making, and keys from the host.
#include <sstream>
#include <vector>

#include "guest/setup/authorized_keys.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// Shape: up to three keys, then the file.
void check(Choices choices)
{
    std::vector<std::string> keys;
    for (auto count = choices.byte() % 4U; count > 0; --count) {
        keys.push_back(choices.text());
    }
    const std::string file{text_of(choices.rest())};
    const auto with = guest::with_keys(file, keys);
    const auto lines = lines_of(with);
    // Ours are the last block, one line each, so that a key can't bring another line along.
    demand(keys.empty() || lines.size() >= keys.size() + 2, "a line for each key and two marks");
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto& line = lines[lines.size() - 1 - keys.size() + i];
        demand(line == keys[i].substr(0, keys[i].find('\n')), "each key is one line of its own");
    }
    const auto without = guest::with_keys(file, {});
    demand(with.starts_with(without), "lines of others stay, in order, before ours");
    const bool has_mark = file.find("# banger: ") != std::string::npos;
    demand(has_mark || without == file || without == file + "\n", "without our marks in it a file stays as it is");
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    banger::fuzz::check(banger::fuzz::Choices{{data, size}});
    return 0;
}
