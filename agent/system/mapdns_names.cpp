// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/mapdns_names.hpp"

#include <fstream>
#include <stop_token>

#include "agent/core/operation.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

std::vector<std::string> words_of(const MapdnsNames::Program& program, const std::string& verb)
{
    std::vector<std::string> argv{program.binary.string(), verb};
    if (!program.data_file.empty()) {
        argv.insert(argv.end(), {"--data-file", program.data_file.string()});
    }
    return argv;
}

}  // namespace

MapdnsNames::MapdnsNames(HostNames& first, EventLoop& loop, Lane& lane, Settings settings)
    : first_{&first}, loop_{&loop}, lane_{&lane}, settings_{std::move(settings)}
{
    std::ifstream file{settings_.published};
    std::string address;
    std::string name;
    while (file >> address >> name) {
        published_[name] = address;
    }
}

void MapdnsNames::tell(const std::vector<HostName>& names)
{
    wanted_.clear();
    for (const auto& [name, address] : names) {
        wanted_[name + ".vm"] = address;
    }
    publish();
    first_->tell(names);
}

void MapdnsNames::publish()
{
    if (publishing_ || wanted_ == published_) {
        return;
    }
    publishing_ = true;
    spawn(publish_all(), [this, alive = std::weak_ptr{alive_}](std::exception_ptr failure) {
        if (alive.lock()) {
            publishing_ = false;
            if (failure) {
                settings_.log(std::string{"mapdns learns no names: "} + to_error(failure).what());
            }
        }
    });
}

Task<void> MapdnsNames::publish_all()
{
    const std::weak_ptr alive{alive_};
    bool goes_on = true;
    while (goes_on && alive.lock() && wanted_ != published_) {
        auto program = settings_.program();
        std::error_code none;
        if (program.binary.empty() || !std::filesystem::exists(program.binary, none)) {
            co_return;
        }
        goes_on = co_await publish_one(std::move(program));
    }
}

/// The first difference. False: it can't be had; the next change tries again.
Task<bool> MapdnsNames::publish_one(Program program)
{
    const std::weak_ptr alive{alive_};
    std::string name;
    std::string address;
    for (const auto& [old_name, old_address] : published_) {
        if (!wanted_.contains(old_name)) {
            name = old_name;
        }
    }
    const bool removes = !name.empty();
    auto argv = words_of(program, removes ? "rm" : "set");
    if (!removes) {
        for (const auto& [new_name, new_address] : wanted_) {
            const auto at = published_.find(new_name);
            if (at == published_.end() || at->second != new_address) {
                name = new_name;
                address = new_address;
            }
        }
    }
    argv.push_back(name);
    if (!removes) {
        argv.push_back(address);
    }
    const bool done = co_await run(std::move(argv));
    if (!done || !alive.lock()) {
        co_return false;
    }
    if (removes) {
        published_.erase(name);
    } else {
        published_[name] = address;
    }
    remember();
    co_return true;
}

Task<bool> MapdnsNames::run(std::vector<std::string> argv)
{
    std::stop_source late;
    const auto log = settings_.log;
    const auto shown_program = argv.front();
    auto work = [argv = std::move(argv), token = late.get_token()] {
        return run_program({.argv = argv, .stop = token});
    };
    const auto limit = loop_->after(settings_.limit, [late]() mutable { late.request_stop(); });
    std::string problem;
    try {
        const auto result = co_await run_on(*loop_, *lane_, std::move(work));
        if (!result.ok()) {
            problem = result.tail.empty() ? "failed" : shown(result.tail, 256);
        }
    } catch (const Error& error) {
        problem = late.stop_requested() ? "it took too long" : error.what();
    }
    if (!problem.empty()) {
        log("mapdns_bin, " + shown_program + ", learns no names: " + problem);
    }
    co_return problem.empty();
}

void MapdnsNames::remember() const
{
    std::ofstream file{settings_.published, std::ios::trunc};
    for (const auto& [name, address] : published_) {
        file << address << " " << name << "\n";
    }
}

}  // namespace banger::agent
