// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/runtime.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/making.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

namespace banger::cli {
namespace {

constexpr int exit_not_whole = 1;

struct FetchCommand {
    MakeReport report;
    std::string from;
};

/// The Manager's rows, printed; whether all of them are ok.
template <typename Rows>
bool print_rows(const Rows& rows, const ListingOptions& options)
{
    Listing listing{{{"name", "NAME"},
                     {"version", "VERSION"},
                     {"state", "STATE"},
                     {"path", "PATH"},
                     {"origin", "ORIGIN"},
                     {"problem", "PROBLEM"}}};
    for (const auto& row : rows) {
        const std::vector<std::string> fields{row.template get<0>(), row.template get<1>(), row.template get<3>(),
                                              row.template get<2>(), row.template get<4>(), row.template get<5>()};
        listing.add(fields, {fields.begin(), fields.end()});
    }
    listing.print(options, LongLines::Whole);
    return std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.template get<3>() == "ok"; });
}

int show(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    print_rows(translated([&] { return agent->manager().ListRuntime(); }), options);
    return 0;
}

int verify(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const bool whole = print_rows(translated([&] { return agent->manager().VerifyRuntime(); }), options);
    return whole ? 0 : exit_not_whole;
}

std::string describe(const VariantMap& result)
{
    if (const auto warnings = text_of(result, "warnings"); !warnings.empty()) {
        complain(warnings);
    }
    const auto fetched = text_of(result, "fetched");
    const auto missing = text_of(result, "missing");
    return (fetched.empty() ? "nothing was to be fetched" : "fetched and checked: " + fetched) +
           (missing.empty() ? "" : "; still missing, as it isn't there: " + missing);
}

int fetch(const FetchCommand& command)
{
    // bangerd has a working directory of its own.
    const auto from = command.from.empty() ? "" : std::filesystem::absolute(command.from).lexically_normal().string();
    return make_one(
        command.report, "runtime", [&](ManagerProxy& manager) { return manager.FetchRuntime(from); }, describe);
}

void add_listing_command(Command noun, Context& context, const std::string& verb, const std::string& description,
                         int (*action)(const ListingOptions&))
{
    const auto options = std::make_shared<ListingOptions>();
    const auto app = add_command(noun, context, verb, description, [options, action] { return action(*options); });
    options->add_to(app, ListingOptions::Quiet::No);
}

}  // namespace

void add_runtime_commands(Command runtime, Context& context)
{
    const auto command = std::make_shared<FetchCommand>();
    const auto app = add_command(runtime, context, "fetch", "Get Firecracker and jailer, and check them",
                                 [command] { return fetch(*command); });
    app.option("--from", command->from, "a program, an archive with it, or a folder with either; not the network")
        .value_name("FILE|FOLDER")
        .not_empty();
    command->report.add_to(app);
    add_listing_command(runtime, context, "show", "Tell what is there", show);
    add_listing_command(runtime, context, "verify", "Compare each checksum; exit code 1 unless all hold", verify);
}

}  // namespace banger::cli
