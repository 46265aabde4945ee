// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/canvas.hpp"
#include "cli/tui/geometry.hpp"
#include "cli/tui/model.hpp"

#include <string>
#include <vector>

namespace banger::cli::tui {

/// The whole screen. Changes nothing of the model but how far its lists are scrolled.
Canvas draw(Model& model, Charset charset);

// The parts, each in a file of its own.
void draw_vms(Canvas& canvas, Model& model, const Geometry& geometry);
void draw_others(Canvas& canvas, Model& model, const Geometry& geometry);
void draw_detail(Canvas& canvas, Model& model, const Area& area);
void draw_covers(Canvas& canvas, const Model& model);

/// Words in lines of at most `width` columns, broken at blanks where there are some. The text is made harmless.
std::vector<std::string> wrapped(std::string_view text, std::size_t width, Charset charset);
/// The same for states of VMs, of operations and of what the host has.
Ink ink_of(std::string_view state);

}  // namespace banger::cli::tui
