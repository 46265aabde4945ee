// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "agent/ports/vm_archives.hpp"
#include "agent/system/confinement.hpp"
#include "agent/system/runtime/disk_scan.hpp"

namespace banger::agent {

/// A VM's archive is a pax tar, gzip or plain, of vm.json and the disks, as GNU tar and libarchive read it (agent/README.md, "A VM's archive").
class VmArchiveFiles final : public VmArchives {
public:
    /// `confine`: for e2image, which reads what a guest has made.
    explicit VmArchiveFiles(Confine confine = {}) : confine_{std::move(confine)} {}

    PackedVm pack(VmPacking packing, const UniqueFd& output, const RuntimeProgress& progress) override;
    std::unique_ptr<OpenedVmArchive> open(UniqueFd input, RuntimeProgress progress) override;

private:
    Confine confine_;
};

/// At most `most` ranges with the same data in them: where there are more, small holes become data. A reader keeps them in memory, and so bounds them.
std::vector<DataRange> coalesced(std::vector<DataRange> ranges, std::size_t most);

}  // namespace banger::agent
