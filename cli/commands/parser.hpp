// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

// CLI11, as far as banger uses it; README.md says why. Command and Parameter are handles: the Parser owns what they stand for.
namespace banger::cli {

/// An option, a flag or a positional word.
class Parameter {
public:
    explicit Parameter(CLI::Option& option) : option_{&option} {}

    Parameter required() const;
    /// What help calls its value.
    Parameter value_name(const std::string& name) const;
    /// The environment variable that gives its value where the line doesn't.
    Parameter variable(const std::string& name) const;
    Parameter one_of(const std::vector<std::string>& words) const;
    Parameter not_empty() const;
    /// It may come without one, as the last word or before another option: "" then.
    Parameter may_lack_value() const;
    Parameter excludes(Parameter other) const;
    Parameter needs(Parameter other) const;
    /// `seen` is called with each value that a line gives it.
    Parameter each(std::function<void(const std::string&)> seen) const;

    /// Whether it is no flag.
    bool takes_value() const;

private:
    CLI::Option* option_;
};

struct Reached;

/// `banger` itself, or a command below it. Whatever it is given as a target must outlive the Parser's parse().
class Command {
public:
    explicit Command(CLI::App& app) : app_{&app} {}

    Command subcommand(const std::string& name, const std::string& description) const;
    void require_subcommand() const;
    Command alias(const std::string& name) const;
    void hide() const;
    /// Below its help.
    void footer(const std::string& text) const;
    /// `callback` runs once a line that chooses this command has been parsed.
    void on_chosen(std::function<void()> callback) const;

    /// Shape of `names`: "-n,--name", or "NAME" for a positional word.
    Parameter option(const std::string& names, std::string& target, const std::string& description = "") const;
    /// An empty word is a value, too.
    Parameter option(const std::string& names, std::optional<std::string>& target,
                     const std::string& description) const;
    /// An option takes one value each time; a positional word may come several times.
    Parameter option(const std::string& names, std::vector<std::string>& target, const std::string& description) const;
    Parameter flag(const std::string& names, bool& target, const std::string& description) const;
    /// Shape of `names`: "--name,!--no-name".
    Parameter flag(const std::string& names, std::optional<bool>& target, const std::string& description) const;
    /// Taken, without effect and not in the help.
    void ignored_flag(const std::string& names) const;

    /// How a user calls it: "banger vm run".
    std::string path() const;
    bool has_subcommands() const;
    /// The names of its subcommands, the hidden ones left out.
    std::vector<std::string> subcommands() const;
    /// Its long options, as "--name".
    std::vector<std::string> options() const;
    std::optional<Parameter> find_option(const std::string& name) const;
    /// Where `words` lead from here, options left out.
    Reached reach(const std::vector<std::string>& words) const;

private:
    CLI::App* app_;
};

/// The command that a line's words lead to, and the first word that leads nowhere.
struct Reached {
    Command command;
    std::string stray;  ///< "": none
};

/// What the parser says to a line.
struct Verdict {
    enum class Kind { Accepted, Answered, TooManyWords, Refused };
    Kind kind{Kind::Accepted};
    std::string text{};  ///< of Answered: what to print, help or version; of the last two: why
};

/// Has --help, which all commands inherit, and --version.
class Parser {
public:
    Parser(const std::string& name, const std::string& description, const std::string& version);
    Parser(Parser&&) noexcept;
    ~Parser();

    Command root() const { return Command{*app_}; }
    Verdict parse(const std::vector<std::string>& words);

private:
    std::unique_ptr<CLI::App> app_;
};

}  // namespace banger::cli
