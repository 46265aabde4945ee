// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/name_program.hpp"

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/ids.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string stripped(std::string_view line)
{
    const auto begin = line.find_first_not_of(blanks);
    return begin == std::string_view::npos ? std::string{}
                                           : std::string{line.substr(begin, line.find_last_not_of(blanks) - begin + 1)};
}

}  // namespace

std::string print_name(const std::filesystem::path& program, const std::stop_token& late)
{
    const auto named = "namegen_path, " + program.string() + ", ";
    std::string line;
    ProgramResult result;
    try {
        result = run_program({.argv = {program.string()},
                              .on_line =
                                  [&line](std::string_view text) {
                                      if (line.empty()) {
                                          line = stripped(text);
                                      }
                                  },
                              .stop = late});
    } catch (const Error& error) {
        if (late.stop_requested()) {
            throw Error{ErrorCode::TimedOut, named + "did not print a name in time"};
        }
        throw Error{error.code(), named + "can't be run: " + error.what()};
    }
    if (!result.ok()) {
        throw Error{ErrorCode::Failed, named + "failed: " + shown(result.tail, 256)};
    }
    try {
        return VmName::parse(line).str();
    } catch (const Error& error) {
        throw Error{ErrorCode::InvalidArgument, named + "printed \"" + shown(line) + "\": " + error.what()};
    }
}

}  // namespace banger::agent
