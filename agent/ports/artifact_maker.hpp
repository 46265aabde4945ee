// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/size.hpp"

namespace banger::agent {

/// What an image is to be made of.
struct ImageRecipe {
    std::string name;
    std::string suite;                    ///< Debian's code name; empty: default_suite()
    ByteSize size;                        ///< of the file system as the guest sees it
    std::vector<std::string> packages;    ///< added to the list
    std::filesystem::path packages_file;  ///< the list in place of the default one; empty: the default one
};

/// What a kernel is to be made of: files, or the package of a suite.
struct KernelRecipe {
    std::string name;
    std::string suite;                ///< empty: default_suite()
    std::filesystem::path vmlinuz{};  ///< bzImage or ELF vmlinux; empty: the suite's package
    std::filesystem::path modules{};  ///< its /lib/modules/VERSION tree
};

/// How far it got; called on the maker's thread.
struct MakingProgress {
    std::function<void(const std::string& stage)> stage;
    std::stop_token stop;
};

/// Makes images and kernels. Called on a worker thread, for minutes. A draft is a folder that doesn't exist yet; on success it holds
/// a whole artifact with its description, on failure it is gone.
class ArtifactMaker {
public:
    ArtifactMaker() = default;
    ArtifactMaker(const ArtifactMaker&) = delete;
    ArtifactMaker& operator=(const ArtifactMaker&) = delete;
    virtual ~ArtifactMaker() = default;

    /// The host's own when it is a Debian that we know, else bookworm.
    virtual std::string default_suite() const = 0;
    /// The packages of an image that asks for no others, as a file: with comments.
    virtual std::string default_package_list() const = 0;
    /// Throws HostLacks, InvalidArgument, NoSpace, Cancelled, Failed (with the end of the log).
    virtual void build_image(const ImageRecipe& recipe, const std::filesystem::path& draft,
                             const MakingProgress& progress) = 0;
    /// Throws also NotFound and CorruptData (of the files).
    virtual void import_kernel(const KernelRecipe& recipe, const std::filesystem::path& draft,
                               const MakingProgress& progress) = 0;
    /// Writes a kernel's initrd anew where it holds another banger-guest than this bangerd's.
    virtual void refresh_initrd(const std::filesystem::path& kernel) = 0;
    /// Removes what a maker that was killed left behind.
    virtual void discard(const std::filesystem::path& draft) noexcept = 0;
};

}  // namespace banger::agent
