// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/commands/context.hpp"

namespace banger::cli {

/// `completion bash|zsh|fish`: prints a script for that shell.
void add_completion(Command root, Context& context);
/// `internal complete -- WORDS…`, which those scripts call: what the last word may become, one a line.
void add_internal_complete(Command internal, Context& context);

/// What a word is completed from when it is neither a command nor an option.
enum class NameSource { None, Vms, VmPaths, Images, Kernels };

/// The fixed part of completion, which needs no bangerd.
struct Completion {
    std::vector<std::string> words;
    NameSource names{NameSource::None};
};
/// `words`: after `banger`, up to the one under the cursor, which may be "".
Completion complete(Command root, const std::vector<std::string>& words);

}  // namespace banger::cli
