// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_stats.hpp"

#include "cli/commands/create_options.hpp"
#include "cli/connect/agent.hpp"
#include "cli/signals.hpp"
#include "cli/view/listing.hpp"
#include "cli/view/output.hpp"
#include "cli/view/vm_numbers.hpp"
#include "common/size.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace banger::cli {
namespace {

using std::chrono::milliseconds;

/// Over which CPU time is measured where nothing came before.
constexpr milliseconds first_look{250};

struct StatsCommand {
    ListingOptions listing;
    std::vector<std::string> names;
    bool watch{false};
    std::optional<std::string> interval{};
};

struct Sample {
    std::string id, name, state;
    Numbers numbers;
};

std::vector<Sample> take_samples(Agent& agent, const std::vector<std::string>& names)
{
    auto rows = translated([&] { return agent.manager().Stats(names); });
    std::vector<Sample> samples;
    samples.reserve(rows.size());
    for (auto& row : rows) {
        auto& [id, name, state, numbers] =
            static_cast<std::tuple<std::string, std::string, std::string, Numbers>&>(row);
        samples.push_back({std::move(id), std::move(name), std::move(state), std::move(numbers)});
    }
    return samples;
}

std::string size_text(const std::optional<std::uint64_t>& bytes) { return bytes ? ByteSize{*bytes}.to_string() : "-"; }

std::string pair_text(const Numbers& numbers, const char* one, const char* other)
{
    const auto first = known_number(numbers, one);
    return first ? size_text(first) + " / " + size_text(known_number(numbers, other)) : "-";
}

/// "12M / 512M"; what a guest says is available is never more than its total.
std::string used_text(const Numbers& numbers, const std::string& what)
{
    const auto total = known_number(numbers, (what + "_total").c_str());
    const auto available = known_number(numbers, (what + "_available").c_str());
    return total && available && *available <= *total ? size_text(*total - *available) + " / " + size_text(total) : "-";
}

std::string percent_text(double percent)
{
    constexpr std::size_t longest = 32;
    std::string text(longest, '\0');
    text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.1f", percent)));
    return text;
}

/// In the order of the listing's fields; what isn't known is null.
constexpr std::array counted{"resident",         "root_host",        "work_host",      "memory_total",
                             "memory_available", "root_total",       "root_available", "work_total",
                             "work_available",   "network_received", "network_sent",   "block_read",
                             "block_written",    "uptime_ms",        "processes",      "load_milli"};

constexpr double no_percentage = -1;  // of a percentage

std::vector<std::string> cells_of(const Sample& sample, double cpu)
{
    const auto& numbers = sample.numbers;
    const auto processes = known_number(numbers, "processes");
    return {sample.name,
            cpu == no_percentage ? "-" : percent_text(cpu),
            size_text(known_number(numbers, "resident")),
            size_text(known_number(numbers, "root_host")),
            size_text(known_number(numbers, "work_host")),
            used_text(numbers, "memory"),
            used_text(numbers, "root"),
            used_text(numbers, "work"),
            pair_text(numbers, "network_received", "network_sent"),
            pair_text(numbers, "block_read", "block_written"),
            uptime_text(known_number(numbers, "uptime_ms")),
            processes ? std::to_string(*processes) : "-"};
}

std::vector<JsonValue> numbers_in_json(const Sample& sample, double cpu)
{
    std::vector<JsonValue> values{sample.name, sample.state, sample.id,
                                  cpu == no_percentage ? JsonValue{} : JsonValue(cpu)};
    for (const auto* name : counted) {
        const auto known = known_number(sample.numbers, name);
        values.push_back(known ? JsonValue(*known) : JsonValue{});
    }
    return values;
}

void show(const std::map<std::string, Numbers>& before, const std::vector<Sample>& samples,
          const ListingOptions& options)
{
    Listing listing{{{"name", "NAME"},
                     {"state", ""},
                     {"id", ""},
                     {"cpu_percent", "CPU %", Align::Right},
                     {"resident", "RESIDENT", Align::Right},
                     {"root_host", "OVERLAY", Align::Right},
                     {"work_host", "WORK DISK", Align::Right},
                     {"memory_total", "MEMORY", Align::Right},
                     {"memory_available", ""},
                     {"root_total", "/", Align::Right},
                     {"root_available", ""},
                     {"work_total", "/root", Align::Right},
                     {"work_available", ""},
                     {"network_received", "NET IN / OUT", Align::Right},
                     {"network_sent", ""},
                     {"block_read", "BLOCK R / W", Align::Right},
                     {"block_written", ""},
                     {"uptime_ms", "UP", Align::Right},
                     {"processes", "PROCS", Align::Right},
                     {"load_milli", ""}}};
    // What isn't shown isn't made: somebody may watch a hundred of them.
    const bool is_table = options.form() == Format::Table;
    for (const auto& sample : samples) {
        const auto old = before.find(sample.id);
        const double cpu =
            old == before.end() ? no_percentage : cpu_percent(old->second, sample.numbers).value_or(no_percentage);
        listing.add(is_table ? cells_of(sample, cpu) : std::vector<std::string>{},
                    is_table ? std::vector<JsonValue>{} : numbers_in_json(sample, cpu));
    }
    listing.print(options);
}

/// False when a signal came.
bool rest(const SignalInbox& signals, milliseconds time)
{
    pollfd wait{signals.fd(), POLLIN, 0};
    return ::poll(&wait, 1, static_cast<int>(time.count())) == 0;
}

std::optional<milliseconds> interval_of(const std::optional<std::string>& text)
{
    if (!text) {
        return std::nullopt;
    }
    constexpr std::uint32_t most = 86'400;
    const auto seconds = parse_count(*text, "--interval");
    if (seconds == 0 || seconds > most) {
        throw Error{ErrorCode::InvalidArgument, "--interval is 1 to 86400 seconds, not " + *text};
    }
    return std::chrono::seconds{seconds};
}

/// The others are stopped: no guest of theirs is asked.
std::size_t count_running(const std::vector<Sample>& samples)
{
    return static_cast<std::size_t>(std::count_if(
        samples.begin(), samples.end(), [](const Sample& sample) { return sample.numbers.contains("sampled_ns"); }));
}

int stats(const StatsCommand& command)
{
    const auto interval = interval_of(command.interval);
    const auto names = unique_names(command.names);
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    auto agent = Agent::connect(WhenAbsent::Start);
    const auto look = [&] {
        try {
            return take_samples(*agent, names);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::Unavailable) {
                throw;
            }
        }
        agent = Agent::connect(WhenAbsent::Start);  // bangerd was away for a moment, or is another one
        return take_samples(*agent, names);
    };
    const bool redraws = command.watch && command.listing.form() == Format::Table && is_terminal(STDOUT_FILENO);
    std::map<std::string, Numbers> before;
    for (auto& sample : look()) {
        before.emplace(std::move(sample.id), std::move(sample.numbers));
    }
    for (auto pause = first_look; rest(signals, pause);) {
        auto samples = look();
        if (redraws) {
            print("\x1b[H\x1b[J");
        }
        show(before, samples, command.listing);
        if (!command.watch) {
            return 0;
        }
        pause = interval.value_or(usual_interval(count_running(samples)));
        before.clear();
        for (auto& sample : samples) {
            before.emplace(std::move(sample.id), std::move(sample.numbers));
        }
    }
    const auto signal = signals.take();
    return signal ? exit_code_of_signal(*signal) : 1;
}

}  // namespace

void add_vm_stats(Command vm, Context& context)
{
    const auto command = std::make_shared<StatsCommand>();
    const auto app = add_command(vm, context, "stats", "Tell what VMs use of this host, and what of their own they use",
                                 [command] { return stats(*command); });
    app.option("NAME", command->names, "names or ids; none: all that run");
    app.flag("-w,--watch", command->watch, "again and again, until Ctrl-C");
    app.option("--interval", command->interval, "seconds between two looks (2; of more than 20 VMs 0.1 for each)")
        .value_name("SECONDS");
    command->listing.add_to(app, ListingOptions::Quiet::No);
}

}  // namespace banger::cli
