// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/parser.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace banger::cli {
namespace {

/// CLI11's help, without what it says beside each option of values and of other options: descriptions say that in words.
class HelpFormatter final : public CLI::Formatter {
public:
    HelpFormatter()
    {
        constexpr std::size_t description_column = 28;
        column_width(description_column);
    }

    std::string make_option_opts(const CLI::Option* option) const override
    {
        if (option->get_type_size() == 0 || option->get_positional()) {
            return "";
        }
        const auto type = option->get_type_name();
        return " " + type.substr(0, type.find(":{"));
    }
};

}  // namespace

Parameter Parameter::required() const { return Parameter{*option_->required()}; }

Parameter Parameter::value_name(const std::string& name) const { return Parameter{*option_->type_name(name)}; }

Parameter Parameter::variable(const std::string& name) const { return Parameter{*option_->envname(name)}; }

Parameter Parameter::one_of(const std::vector<std::string>& words) const
{
    return Parameter{*option_->check(CLI::IsMember(words))};
}

Parameter Parameter::not_empty() const
{
    return Parameter{
        *option_->check([](const std::string& value) { return value.empty() ? "must not be empty" : std::string{}; })};
}

Parameter Parameter::may_lack_value() const { return Parameter{*option_->expected(0, 1)}; }

Parameter Parameter::excludes(Parameter other) const { return Parameter{*option_->excludes(other.option_)}; }

Parameter Parameter::needs(Parameter other) const { return Parameter{*option_->needs(other.option_)}; }

Parameter Parameter::each(std::function<void(const std::string&)> seen) const
{
    return Parameter{*option_->each(std::move(seen))};
}

bool Parameter::takes_value() const { return option_->get_expected_max() > 0 && option_->get_items_expected_max() > 0; }

Command Command::subcommand(const std::string& name, const std::string& description) const
{
    return Command{*app_->add_subcommand(name, description)};
}

void Command::require_subcommand() const { app_->require_subcommand(1); }

Command Command::alias(const std::string& name) const { return Command{*app_->alias(name)}; }

void Command::hide() const { app_->group(""); }

void Command::footer(const std::string& text) const { app_->footer(text); }

void Command::on_chosen(std::function<void()> callback) const { app_->callback(std::move(callback)); }

Parameter Command::option(const std::string& names, std::string& target, const std::string& description) const
{
    return Parameter{*app_->add_option(names, target, description)};
}

Parameter Command::option(const std::string& names, std::optional<std::string>& target,
                          const std::string& description) const
{
    // For CLI11's own std::optional an empty word counts as none.
    return Parameter{*app_->add_option_function<std::string>(
        names, [&target](const std::string& text) { target = text; }, description)};
}

Parameter Command::option(const std::string& names, std::vector<std::string>& target,
                          const std::string& description) const
{
    auto* option = app_->add_option(names, target, description);
    return Parameter{*option->allow_extra_args(option->get_positional())};
}

Parameter Command::flag(const std::string& names, bool& target, const std::string& description) const
{
    return Parameter{*app_->add_flag(names, target, description)};
}

Parameter Command::flag(const std::string& names, std::optional<bool>& target, const std::string& description) const
{
    return Parameter{*app_->add_flag_function(
        names, [&target](std::int64_t times) { target = times > 0; }, description)};
}

void Command::ignored_flag(const std::string& names) const { app_->add_flag(names)->group(""); }

std::string Command::path() const
{
    auto* parent = app_->get_parent();
    return (parent == nullptr ? "" : Command{*parent}.path() + " ") + app_->get_name();
}

bool Command::has_subcommands() const { return !app_->get_subcommands({}).empty(); }

std::vector<std::string> Command::subcommands() const
{
    std::vector<std::string> names;
    for (const auto* sub : app_->get_subcommands({})) {
        if (!sub->get_group().empty()) {
            names.push_back(sub->get_name());
        }
    }
    return names;
}

std::vector<std::string> Command::options() const
{
    std::vector<std::string> names;
    for (const auto* option : app_->get_options()) {
        for (const auto& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    return names;
}

std::optional<Parameter> Command::find_option(const std::string& name) const
{
    auto* option = app_->get_option_no_throw(name);
    return option == nullptr ? std::nullopt : std::optional{Parameter{*option}};
}

Reached Command::reach(const std::vector<std::string>& words) const
{
    auto* reached = app_;
    for (const auto& word : words) {
        const auto subcommands = reached->get_subcommands({});
        if (subcommands.empty()) {
            break;
        }
        if (word.starts_with('-')) {
            continue;
        }
        const auto next = std::find_if(subcommands.begin(), subcommands.end(),
                                       [&word](const CLI::App* sub) { return sub->check_name(word); });
        if (next == subcommands.end()) {
            return {Command{*reached}, word};
        }
        reached = *next;
    }
    return {Command{*reached}, ""};
}

Parser::Parser(const std::string& name, const std::string& description, const std::string& version)
    : app_{std::make_unique<CLI::App>(description, name)}
{
    app_->formatter(std::make_shared<HelpFormatter>());
    app_->set_version_flag("--version", version, "print the version");
    app_->set_help_flag("-h,--help", "print this");
}

Parser::Parser(Parser&&) noexcept = default;
Parser::~Parser() = default;

Verdict Parser::parse(const std::vector<std::string>& words)
{
    try {
        app_->parse(std::vector<std::string>{words.rbegin(), words.rend()});
    } catch (const CLI::CallForHelp&) {
        return {Verdict::Kind::Answered, app_->help()};
    } catch (const CLI::CallForVersion& call) {
        return {Verdict::Kind::Answered, std::string{call.what()} + "\n"};
    } catch (const CLI::ExtrasError& refusal) {
        return {Verdict::Kind::TooManyWords, refusal.what()};
    } catch (const CLI::ParseError& refusal) {
        return {Verdict::Kind::Refused, refusal.what()};
    }
    return {};
}

}  // namespace banger::cli
