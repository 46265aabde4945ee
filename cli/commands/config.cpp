// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/config.hpp"

#include "cli/connect/agent.hpp"
#include "cli/connect/environment.hpp"
#include "cli/view/listing.hpp"
#include "cli/view/output.hpp"

#include <memory>

namespace banger::cli {
namespace {

int show(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto [values, problems] = translated([&] { return agent->manager().GetConfig(shared_environment()); });
    Listing listing{{{"key", "KEY"}, {"value", "VALUE"}, {"origin", "FROM"}}};
    for (const auto& row : values) {
        const std::vector<std::string> fields{row.get<0>(), row.get<1>(), row.get<2>()};
        listing.add(fields, {fields.begin(), fields.end()});
    }
    listing.print(options, LongLines::Whole);
    for (const auto& problem : problems) {
        complain(problem);
    }
    return problems.empty() ? 0 : exit_usage;
}

/// Silent where all is well, as compilers are.
int check()
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto [values, problems] = translated([&] { return agent->manager().GetConfig(shared_environment()); });
    for (const auto& problem : problems) {
        complain(problem);
    }
    return problems.empty() ? 0 : exit_usage;
}

}  // namespace

void add_config_commands(Command config, Context& context)
{
    const auto options = std::make_shared<ListingOptions>();
    const auto app = add_command(config, context, "show", "Tell each setting, and where its value comes from",
                                 [options] { return show(*options); });
    options->add_to(app, ListingOptions::Quiet::No);
    add_command(config, context, "check", "Name each wrong line of config.toml; exit code 2 where there is one", check);
}

}  // namespace banger::cli
