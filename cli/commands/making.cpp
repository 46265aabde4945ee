// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/making.hpp"

#include "cli/commands/creation.hpp"

#include <filesystem>

namespace banger::cli {

void MakeReport::add_to(Command command)
{
    const auto json_flag = command.flag("--json", json, "result as JSON; progress as JSON lines on standard error");
    command.flag("-q,--quiet", quiet, "no progress").excludes(json_flag);
}

Made watch_one(const MakeReport& form, const std::string& target,
               const std::function<std::string(ManagerProxy&)>& begin)
{
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto progress = make_progress(form.json    ? ProgressForm::Json
                                        : form.quiet ? ProgressForm::Silent
                                                     : ProgressForm::Automatic);
    OperationWatch watch{*agent, signals, *progress};
    watch.add(target, translated([&] { return begin(agent->manager()); }));
    auto outcome = std::move(watch.wait().front());
    if (watch.interrupted()) {
        return {{}, watch.interrupted()};
    }
    if (outcome.error) {
        throw Error{*outcome.error};
    }
    return {std::move(outcome.result), std::nullopt};
}

JsonValue object_of(const VariantMap& result)
{
    JsonValue object = JsonValue::object();
    for (const auto& [key, value] : result) {
        object[key] = to_json(value);
    }
    return object;
}

int make_one(const MakeReport& form, const std::string& target, const std::function<std::string(ManagerProxy&)>& begin,
             const std::function<std::string(const VariantMap&)>& describe)
{
    const auto made = watch_one(form, target, begin);
    if (made.signal) {
        return exit_code_of_signal(*made.signal);
    }
    if (form.json) {
        print_json(object_of(made.result));
    } else {
        print(describe(made.result) + "\n");
    }
    return 0;
}

std::string absolute_path_of(const std::string& path)
{
    return std::filesystem::absolute(path).lexically_normal().string();
}

void put_text(VariantMap& map, const char* key, const std::string& value)
{
    if (!value.empty()) {
        map.emplace(key, sdbus::Variant{value});
    }
}

bool was_built(const VariantMap& result)
{
    const auto at = result.find("built");
    return at == result.end() || !at->second.containsValueOfType<bool>() || at->second.get<bool>();
}

std::string describe_image(const VariantMap& result)
{
    constexpr std::size_t brief_digest = 12;
    return "image " + text_of(result, "name") + (was_built(result) ? " is made: " : " was there already: ") +
           text_of(result, "digest").substr(0, brief_digest);
}

}  // namespace banger::cli
