// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "broker/system/cow_files.hpp"
#include "broker/system/libdevmapper.hpp"
#include "broker/system/loop_ioctl.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::broker::test {

using agent::test::TemporaryFolder;

/// What a shell command printed, on both of its outputs, and how it ended.
struct Output {
    int code;
    std::string text;
};
Output shell(const std::string& command);
/// Of a command that must not fail.
std::string must(const std::string& command);

SandboxKey key(const std::string& id, uid_t uid = 1000);
/// The code of the Error that `work` throws; nullopt: none.
std::optional<ErrorCode> code_of(const std::function<void()>& work);
/// Until it is true, looked at anew each time that udev has gone through its queue; false after 20 s.
bool eventually(const std::function<bool()>& is_so);
bool exists(const std::string& path);
inline const std::string marks = "/run/banger-broker/loops";

/// A base of 32 MiB with ones in it, a copy-on-write file of 4 MiB, and loops over both.
class Disk {
public:
    explicit Disk(SandboxKey which);
    ~Disk();
    void create() { dm.create(name, size, base.device, cow.device)->wait(); }
    std::string node() const { return dm_node(name); }

    static constexpr auto size = 32 * mib;
    static constexpr auto cow_size = 4 * mib;
    SandboxKey name;
    TemporaryFolder folder;
    LibDevmapper dm;
    LoopIoctl loops{marks};
    CowFolder files{folder.path / "cow"};
    UniqueFd base_file;
    Loop base;
    Loop cow;
};

}  // namespace banger::broker::test
