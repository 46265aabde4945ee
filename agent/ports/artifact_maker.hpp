// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/ids.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// What an image is to be made of.
struct ImageRecipe {
    std::string name;
    std::string suite;                    ///< code name; empty: the base's, else default_suite()
    ByteSize size;                        ///< of the file system as the guest sees it; 0: the base's, else 16 GiB
    std::vector<std::string> packages;    ///< added to the list
    std::filesystem::path packages_file;  ///< the list in place of the default one; empty: the default one
    std::vector<std::filesystem::path> more_packages_files{};  ///< lists that are added
    bool docker{false};                                        ///< and what `docker run` needs
    /// An ext4 on whose tree the packages come; empty: none. Of an image's, its name and digest; a file of the user's has no digest.
    std::filesystem::path base{};
    std::string base_name{};
    std::string base_digest{};
    std::filesystem::path customize_script{};  ///< runs inside before the disk is made; empty: none
};

/// A disk that is there and is to become an image.
struct DiskSource {
    std::string name;    ///< of the new image
    std::string origin;  ///< as `image list` shows it
    std::filesystem::path disk;
    std::filesystem::path
        parent{};  ///< folder of the image that it was made of, whose settings it inherits; empty: none
};

/// What is there under a name, as seen by who wants to make something of that name.
enum class Standing {
    Same,     ///< made of the very same: nothing is to be done
    Other,    ///< made in the same way of something else: the new one may take its place
    Foreign,  ///< made in another way, which may not be had again
};

/// What a kernel is to be made of: files, or the package of a suite.
struct KernelRecipe {
    std::string name;
    std::string suite;                ///< empty: default_suite()
    std::filesystem::path vmlinuz{};  ///< bzImage or ELF vmlinux; empty: the suite's package
    std::filesystem::path modules{};  ///< its /lib/modules/VERSION tree; empty: all that a VM needs is built in
    std::filesystem::path initrd{};   ///< a cpio that the kernel unpacks before banger's own; empty: none
    std::string flavour{};            ///< of the package: cloud or generic; empty: cloud
    std::string package{};            ///< a package of the suite's by name; empty: the flavour's
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
    /// What the image in this folder is to a recipe. Reads small files. Throws InvalidArgument, NotFound (a list, a script).
    virtual Standing standing_of(const std::filesystem::path& image, const ImageRecipe& recipe) = 0;
    /// Whether the image in this folder is a copy of that file as it is now, by its size, time and inode.
    virtual bool is_copy_of(const std::filesystem::path& image, const DiskSource& source) = 0;
    /// A file of the user's, which stays as it is. Throws InvalidArgument (no ext4, or not clean; with the command that mends it), NotFound,
    /// CorruptData, NoSpace, Cancelled.
    virtual void take_file(const DiskSource& source, const std::filesystem::path& draft,
                           const MakingProgress& progress) = 0;
    /// The root disk of a VM that doesn't run, a file or a device; what is deleted in it stays behind. Its journal is played back first where the
    /// guest went down without an end, as the next boot would do. Throws CorruptData, HostLacks, NoSpace, Cancelled, Failed.
    virtual void take_disk(const DiskSource& source, const std::filesystem::path& draft,
                           const MakingProgress& progress) = 0;
    /// Reads all of an image: whether it has this digest. Throws NotFound, Failed, Cancelled.
    virtual bool is_whole(const std::filesystem::path& image, const Digest& digest, const MakingProgress& progress) = 0;
    /// Throws also NotFound and CorruptData (of the files).
    virtual void import_kernel(const KernelRecipe& recipe, const std::filesystem::path& draft,
                               const MakingProgress& progress) = 0;
    /// What the origin of a package's kernel would be.
    virtual std::string kernel_origin(const KernelRecipe& recipe) const = 0;
    /// Writes a kernel's initrd anew where it holds another banger-guest than this bangerd's.
    virtual void refresh_initrd(const std::filesystem::path& kernel) = 0;
    /// Of an artifact that was taken in: puts its place on the disk, so that a power cut takes nothing back of what is said to be done. Throws NoSpace,
    /// Failed.
    virtual void seal(const std::filesystem::path& artifact) = 0;
    /// Removes what a maker that was killed left behind, or what this one has made and nobody takes in; not what one that lives, also of another bangerd,
    /// is making.
    virtual void discard(const std::filesystem::path& draft) noexcept = 0;
};

}  // namespace banger::agent
