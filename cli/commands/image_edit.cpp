// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/image_edit.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/execution.hpp"
#include "cli/commands/making.hpp"
#include "cli/view/output.hpp"
#include "cli/view/question.hpp"
#include "common/ids.hpp"

#include <memory>
#include <optional>

namespace banger::cli {
namespace {

struct EditCommand {
    CreateOptions options{};
    std::string image;
    std::string name;
    bool commit{false};
    bool drop{false};
    bool quiet{false};
};

/// The temporary VM: while it lives, the kernel holds a lease for us, whose end takes the VM away however we end.
class EditedVm {
public:
    EditedVm(const EditCommand& command, SignalInbox& signals, Progress& progress)
        : command_{&command}, agent_{Agent::connect(WhenAbsent::Start)}, signals_{&signals}, progress_{&progress}
    {
    }

    /// As the image's name is at its beginning: another may have it by the time of the commit.
    std::string target_name()
    {
        auto name = name_of(command_->image);
        if (!command_->name.empty() && command_->name != name) {
            check_is_free(ArtifactName::parse(command_->name).str());
            return command_->name;
        }
        edited_ = name;
        if (name.empty()) {
            throw Error{ErrorCode::InvalidArgument,
                        "the image " + command_->image + " has no name any more; give the new one a --name"};
        }
        return name;
    }

    void make()
    {
        auto map = command_->options.to_map();
        auto lease = make_lease();
        lease_ = std::move(lease.ours);
        bangerd_ = translated([&] { return agent_->manager().Pid(); });
        map.emplace("lease", sdbus::Variant{bus::give_fd(std::move(lease.theirs))});
        map.emplace("remove_on_stop", sdbus::Variant{true});
        map.emplace("work_disk", sdbus::Variant{false});  // what is put into /root is to be in the image
        Creation creation{*agent_, *signals_, *progress_};
        try {
            created_ = creation.run(command_->options, map);
        } catch (...) {
            created_.path = creation.path().value_or("");
            throw;
        }
    }

    CommandEnd run(const std::vector<std::string>& words)
    {
        VmProxy vm{agent_->connection(), created_.path};
        ExecutionOptions options;
        options.environment.emplace_back("HISTFILE=/dev/null");  // what was typed is no part of the image
        options.user = "root";  // who may change it, whoever the image's programs run as
        return execute(vm, words, options, Attach::Here, signals_);
    }

    /// Throws what bangerd says; the VM is then kept for another try.
    Outcome commit(const std::string& name)
    {
        VariantMap map{{"name", sdbus::Variant{name}}, {"stop", sdbus::Variant{true}}, {"keep", sdbus::Variant{true}}};
        if (command_->name.empty() || command_->name == edited_) {
            map.emplace("force", sdbus::Variant{true});  // in the place of the one that was edited
        }
        return watch("image " + name, translated([&] { return agent_->manager().PromoteVm(created_.name, map); }));
    }

    void drop()
    {
        const auto operation = translated([&] {
            VmProxy vm{agent_->connection(), created_.path};
            return vm.Delete(true);
        });
        const auto outcome = watch("", operation);
        if (outcome.error && outcome.error->code() != ErrorCode::NotFound) {
            throw Error{*outcome.error};
        }
    }

    const std::string& name() const noexcept { return created_.name; }

    /// Whether it goes on whatever becomes of us: its lease went with a bangerd that ended, and the next one, which this connects to, has taken it
    /// over.
    bool is_orphan()
    {
        if (created_.path.empty()) {
            return false;
        }
        try {
            agent_ = Agent::connect(WhenAbsent::Start);
            return translated([&] {
                VmProxy{agent_->connection(), created_.path}.properties();  // throws where it isn't there
                return agent_->manager().Pid() != bangerd_;
            });
        } catch (const Error&) {
            return false;
        }
    }

private:
    Outcome watch(const std::string& target, const std::string& operation)
    {
        OperationWatch watching{*agent_, *signals_, *progress_};
        watching.add(target, operation);
        auto outcome = std::move(watching.wait().front());
        if (watching.interrupted()) {
            throw Interrupted{*watching.interrupted()};
        }
        return outcome;
    }

    /// Empty: it lost it to a newer one.
    std::string name_of(const std::string& image)
    {
        const auto properties = translated([&] {
            return ImageProxy{agent_->connection(), agent_->manager().FindImage(image)}.properties();
        });
        return text_of(properties, "Name");
    }

    /// Now, and not when all is done in the VM, which goes with a commit that is refused.
    void check_is_free(const std::string& name)
    {
        try {
            if (name_of(name) != name) {
                return;  // it is what another one's digest begins with
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::NotFound) {
                return;
            }
            throw;
        }
        throw Error{
            ErrorCode::AlreadyExists,
            "the image " + name + " exists already; give the new one another --name, or edit " + name + " itself"};
    }

    const EditCommand* command_;
    std::unique_ptr<Agent> agent_;
    SignalInbox* signals_;
    Progress* progress_;
    UniqueFd lease_;
    std::uint32_t bangerd_{0};  ///< its pid, which holds the other end
    std::string edited_{};      ///< the name, where the new image takes the old one's
    Created created_{};
};

enum class Choice { Commit, Drop, Ask };

/// A command that fails is no change to keep; a shell's exit code is just that of what was typed last.
Choice choice_of(const EditCommand& command, const std::vector<std::string>& words, const CommandEnd& end)
{
    const bool failed = !words.empty() && (end.exit_code != 0 || end.killed_by);
    if (command.drop || failed) {
        return Choice::Drop;
    }
    return command.commit ? Choice::Commit : Choice::Ask;
}

int settle_edit(EditedVm& vm, const std::string& name, Choice choice, const EditCommand& command, int code)
{
    if (choice == Choice::Drop) {
        vm.drop();
        if (!command.quiet) {
            remark("dropped: the image is as it was");
        }
        return code;
    }
    const auto outcome = vm.commit(name);
    if (outcome.error) {
        throw Error{*outcome.error};
    }
    const auto clean = outcome.result.find("clean");
    if (clean != outcome.result.end() && clean->second.containsValueOfType<bool>() && !clean->second.get<bool>()) {
        remark("the VM did not shut down in time and was ended; what it had not synced is not in the image");
    }
    print(describe_image(outcome.result) + "\n");
    return 0;
}

int work_in(EditedVm& vm, const std::string& name, const EditCommand& command, const std::vector<std::string>& words,
            SignalInbox& signals)
{
    const auto end = vm.run(words);
    auto choice = choice_of(command, words, end);
    if (choice == Choice::Ask) {
        // While it asks, Ctrl-C ends banger as it does any program, and the VM with it.
        const SignalsAsUsual usual{signals};
        choice = says_yes("Make this the image " + name + "?") ? Choice::Commit : Choice::Drop;
    }
    return settle_edit(vm, name, choice, command, end.exit_code);
}

enum class Edited { ByCommand, ByHand };

/// A VM without its lease would go on for good. What a command did it can do again; what somebody typed is nowhere else.
[[noreturn]] void settle_loss(EditedVm& vm, const Error& error, Edited how)
{
    if (error.code() != ErrorCode::Unavailable || !vm.is_orphan()) {
        throw Error{error};
    }
    if (how == Edited::ByCommand) {
        vm.drop();
        throw Error{error};
    }
    throw Error{error.code(), std::string{error.what()} + "; the VM " + vm.name() +
                                  " goes on, with what you did in it: banger image promote --stop " + vm.name() +
                                  " --name NAME makes an image of it, banger vm delete -f " + vm.name() + " drops it"};
}

int edit(EditCommand& command, const std::vector<std::string>& words)
{
    if (!command.commit && !command.drop && !can_ask()) {
        throw Error{ErrorCode::InvalidArgument,
                    "there is nobody to ask what is to become of it; say --commit or --drop"};
    }
    command.options.image = command.image;
    command.options.storage = "file";
    command.options.no_build = true;
    const auto progress = make_progress(command.quiet ? ProgressForm::Silent : ProgressForm::Automatic);
    try {
        auto signals = std::make_unique<SignalInbox>(command_signals);
        EditedVm vm{command, *signals, *progress};
        const auto name = vm.target_name();
        auto how = Edited::ByCommand;
        try {
            vm.make();
            how = words.empty() ? Edited::ByHand : Edited::ByCommand;
            return work_in(vm, name, command, words, *signals);
        } catch (const Error& error) {
            settle_loss(vm, error, how);
        }
    } catch (const Interrupted& interrupted) {
        return exit_code_of_signal(interrupted.signal);  // the lease ends here, and the VM with it
    }
}

}  // namespace

void add_image_edit(Command image, Context& context)
{
    const auto command = std::make_shared<EditCommand>();
    const auto app = add_command(
        image, context, "edit", "Change an image from inside: a shell in a VM of it, then commit or drop",
        [command, &context] { return edit(*command, context.tail); }, Tail::Taken);
    app.option("IMAGE", command->image, "its name or digest").required();
    app.option("--name", command->name, "of the image that is made; else that of the old one, whose VMs keep it")
        .value_name("NAME");
    const auto commit = app.flag("--commit", command->commit, "make the image, without a question");
    app.flag("--drop", command->drop, "make nothing: for a look").excludes(commit);
    app.option("--memory", command->options.memory, "of the VM, in MiB or like 2G").value_name("SIZE");
    app.option("--vcpu,--cpus", command->options.vcpus, "of the VM").value_name("N");
    app.option("--kernel", command->options.kernel, "of the VM").value_name("KERNEL");
    app.option("--network", command->options.network, "of the VM: auto, user, tap or none").value_name("KIND");
    app.flag("-q,--quiet", command->quiet, "no progress");
    app.footer(
        "Words after -- run in place of a shell: banger image edit debian --commit -- apt-get -y install jq\n"
        "Without a terminal one of --commit and --drop must be given. A command that fails drops it.");
}

}  // namespace banger::cli
