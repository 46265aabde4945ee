// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/system/oci/layer_check.hpp"

namespace banger::agent {

/// As check_layers(), in a process of its own (`bangerd --check-layers`) with little memory and nothing to write to, as a layer is whatever
/// somebody made of it. `scratch`: a folder for the question.
LayerVerdict check_layers_apart(const std::vector<LayerFile>& layers, const LayerBounds& bounds,
                                const std::filesystem::path& scratch, const std::stop_token& stop);

/// That process: reads the question, prints the answer as a line of JSON, and gives the exit code.
int answer_layer_check(const std::filesystem::path& question);

}  // namespace banger::agent
