// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/model.hpp"

namespace banger::cli::tui {

/// Paths end in a number that counts up.
bool Model::newer(const OperationRow& a, const OperationRow& b)
{
    return a.path.size() != b.path.size() ? a.path.size() > b.path.size() : a.path > b.path;
}

void Model::lost(std::string problem)
{
    link = Link::Lost;
    link_problem = std::move(problem);
    host_is_looked_at = false;
    if (ports) {
        ports->waits = false;
    }
    if (form && form->waits()) {
        form->refuse("bangerd went away; look whether it was done");
    }
}

void Model::found()
{
    link = Link::Up;
    link_problem.clear();
}

}  // namespace banger::cli::tui
