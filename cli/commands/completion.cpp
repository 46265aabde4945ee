// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/completion.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>

#include "cli/commands/command_line.hpp"
#include "cli/connect/agent.hpp"
#include "cli/view/output.hpp"

namespace banger::cli {
namespace {

constexpr std::string_view bash_script =
    R"(# banger completion bash: source this, or put it into ~/.local/share/bash-completion/completions/banger
_banger() {
    local IFS=$'\n' rest=$COMP_LINE words=() word
    # bash takes ssh://HOST apart at its colons: what follows with no blank between is the same word.
    for word in "${COMP_WORDS[@]:0:COMP_CWORD}"; do
        if ((${#words[@]})) && [[ $rest == "$word"* ]]; then words[-1]+=$word; else words+=("$word"); fi
        rest=${rest#*"$word"}
    done
    COMPREPLY=($("${words[0]}" internal complete -- "${words[@]:1}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null))
    [[ ${COMPREPLY[0]-} != *: ]] || compopt -o nospace
}
complete -o default -F _banger banger
)";

constexpr auto bash = "bash";  // style: a name to choose by, nothing is started

constexpr std::string_view zsh_script = R"(#compdef banger
# banger completion zsh: put this as _banger into a folder of $fpath
_banger() {
    local -a replies
    replies=("${(@f)$("${words[1]}" internal complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n ${replies[1]} ]]; then compadd -a replies; else _files; fi
}
if [[ ${funcstack[1]} == _banger ]]; then _banger "$@"; else compdef _banger banger; fi
)";

constexpr std::string_view fish_script =
    R"(# banger completion fish: put this into ~/.config/fish/completions/banger.fish
complete -c banger -a '(set -l words (commandline -opc) (commandline -ct); banger internal complete -- $words[2..] 2>/dev/null)'
)";

int print_script(const std::string& shell)
{
    print(shell == bash ? bash_script : shell == "zsh" ? zsh_script : fish_script);
    return 0;
}

/// Options whose values are few, or names of things.
Completion values_of(const std::string& option)
{
    static const std::map<std::string, Completion> known{
        {"--format", {{"table", "json", "plain"}}},
        {"--network", {{"auto", "user", "tap", "none"}}},
        {"--storage", {{"auto", "file", "dm-snapshot"}}},
        {"--vmm", {{"auto", "firecracker", "qemu-kvm", "qemu-tcg"}}},
        {"--suite", {{"bookworm", "trixie", "jammy", "noble"}}},
        {"--flavour", {{"cloud", "generic"}}},
        {"--base", {{}, NameSource::Images}},
        {"--which", {{"console", "vmm"}}},
        {"--state", {{"creating", "stopped", "starting", "running", "stopping", "deleting", "failed"}}},
        {"--signal", {{"KILL", "TERM", "INT", "STOP", "CONT", "QUIT"}}},
        {"--image", {{}, NameSource::Images}},
        {"--docker-image", {{}, NameSource::Images}},
        {"--kernel", {{}, NameSource::Kernels}},
    };
    const auto at = known.find(option);
    return at != known.end() ? at->second : Completion{};
}

NameSource names_for(const std::string& path)
{
    static const std::map<std::string, NameSource> known{
        {"banger vm run", NameSource::None},           {"banger vm create", NameSource::None},
        {"banger vm import", NameSource::None},        {"banger vm cp", NameSource::VmPaths},
        {"banger image show", NameSource::Images},     {"banger image delete", NameSource::Images},
        {"banger image verify", NameSource::Images},   {"banger image edit", NameSource::Images},
        {"banger image promote", NameSource::Vms},     {"banger kernel show", NameSource::Kernels},
        {"banger kernel delete", NameSource::Kernels},
    };
    const auto at = known.find(path);
    return at != known.end() ? at->second : path.starts_with("banger vm ") ? NameSource::Vms : NameSource::None;
}

/// Whether the word before the cursor is an option that wants a value.
bool wants_value(Command command, const std::string& word)
{
    const auto option = word.starts_with('-') ? command.find_option(word) : std::nullopt;
    return option && option->takes_value();
}

std::vector<std::string> live_names(Agent& agent, NameSource source)
{
    std::vector<std::string> names;
    const auto take = [&names](const auto& rows, auto name_of) {
        for (const auto& row : rows) {
            names.push_back(name_of(row));
        }
    };
    switch (source) {
        case NameSource::Vms:
            take(agent.manager().ListVms({}), [](const auto& row) { return row.template get<1>(); });
            break;
        case NameSource::VmPaths:
            take(agent.manager().ListVms({}), [](const auto& row) { return row.template get<1>() + ":"; });
            break;
        case NameSource::Images:
            take(agent.manager().ListImages(), [](const auto& row) { return row.template get<0>(); });
            break;
        case NameSource::Kernels:
            take(agent.manager().ListKernels(), [](const auto& row) { return row.template get<0>(); });
            break;
        case NameSource::None:
            break;
    }
    return names;
}

/// Without a -H: what it stands before is the same, and another host isn't asked for names.
int complete_words(const std::vector<std::string>& line)
{
    const std::vector<std::string> before{line.begin(), line.empty() ? line.end() : std::prev(line.end())};
    auto [host, words] = split_host(before);
    if (!line.empty()) {
        words.push_back(line.back());
    }
    Context unused;
    const auto parser = make_command_line(unused);
    auto completion = complete(parser.root(), words);
    if (completion.names != NameSource::None && !host) {
        // Completing starts nothing.
        if (const auto agent = Agent::connect(WhenAbsent::Leave)) {
            completion.words = translated([&] { return live_names(*agent, completion.names); });
        }
    }
    const auto prefix = words.empty() ? std::string{} : words.back();
    std::string text;
    for (const auto& word : completion.words) {
        text += word.starts_with(prefix) ? word + "\n" : "";
    }
    print(text);
    return 0;
}

}  // namespace

Completion complete(Command root, const std::vector<std::string>& words)
{
    const std::vector<std::string> before{words.begin(), words.empty() ? words.end() : std::prev(words.end())};
    const auto current = words.empty() ? std::string{} : words.back();
    if (std::find(before.begin(), before.end(), "--") != before.end()) {
        return {};
    }
    const auto [command, stray] = root.reach(before);
    if (!stray.empty()) {
        return {};
    }
    if (!before.empty() && wants_value(command, before.back())) {
        return values_of(before.back());
    }
    if (current.starts_with('-')) {
        return {command.options()};
    }
    if (command.has_subcommands()) {
        return {command.subcommands()};
    }
    return {{}, names_for(command.path())};
}

void add_completion(Command root, Context& context)
{
    const auto shell = std::make_shared<std::string>();
    const auto app =
        add_command(root, context, "completion", "Print a script that completes commands and names in a shell",
                    [shell] { return print_script(*shell); });
    app.option("SHELL", *shell, "one of bash, zsh, fish").required().one_of({bash, "zsh", "fish"});
    app.footer("In bash: source <(banger completion bash)");
}

void add_internal_complete(Command internal, Context& context)
{
    add_command(
        internal, context, "complete", "What the last word may become",
        [&context] { return complete_words(context.tail); }, Tail::Taken);
}

}  // namespace banger::cli
