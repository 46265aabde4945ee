// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/unpack/ext_image.hpp"

#include <archive_entry.h>
#include <ext2fs/ext2fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::unpack {
namespace {

constexpr std::size_t most_entries = 20'000'000;
constexpr std::size_t longest_path = 4096;

[[noreturn]] void corrupt(const std::string& what, errcode_t problem = 0)
{
    throw Error{ErrorCode::CorruptData, what + (problem != 0 ? std::string{": "} + error_message(problem) : "") +
                                            "; e2fsck -f tells more, on a copy of it"};
}

void check(errcode_t problem, const std::string& what)
{
    if (problem != 0) {
        corrupt(what, problem);
    }
}

struct CloseAttributes {
    void operator()(ext2_xattr_handle* handle) const noexcept { ext2fs_xattrs_close(&handle); }
};
struct FreeMemory {
    void operator()(void* memory) const noexcept { ext2fs_free_mem(&memory); }
};

struct Child {
    std::string name;
    ext2_ino_t inode;
};

extern "C" int take_child(ext2_ino_t, int, ext2_dir_entry* entry, int, int, char*, void* children)
{
    // No exception may leave this: there is C between us and the caller. Memory is all that could lack.
    const auto length = static_cast<std::size_t>(ext2fs_dirent_name_len(entry));
    static_cast<std::vector<Child>*>(children)->push_back({std::string(entry->name, length), entry->inode});
    return 0;
}

extern "C" int take_name(char* name, char*, size_t, void* names)
{
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
}

bool all_zeros(std::span<const char> bytes)
{
    return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

/// The kernel's own form of an ACL (include/uapi/linux/posix_acl_xattr.h), which libext2fs gives.
void add_acl(archive_entry* entry, std::span<const unsigned char> value, int type)
{
    constexpr std::size_t header = 4;
    constexpr std::size_t row = 8;
    const std::map<unsigned, int> tags{{0x01, ARCHIVE_ENTRY_ACL_USER_OBJ},  {0x02, ARCHIVE_ENTRY_ACL_USER},
                                       {0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ}, {0x08, ARCHIVE_ENTRY_ACL_GROUP},
                                       {0x10, ARCHIVE_ENTRY_ACL_MASK},      {0x20, ARCHIVE_ENTRY_ACL_OTHER}};
    for (std::size_t at = header; at + row <= value.size(); at += row) {
        const auto tag = static_cast<unsigned>(value[at] | value[at + 1] << 8);
        const int rights = value[at + 2] & 7;
        const auto id = static_cast<unsigned>(value[at + 4]) | static_cast<unsigned>(value[at + 5]) << 8U |
                        static_cast<unsigned>(value[at + 6]) << 16U | static_cast<unsigned>(value[at + 7]) << 24U;
        const auto known = tags.find(tag);
        if (known == tags.end()) {
            corrupt("an access list has an unknown entry");
        }
        const bool has_id = tag == 0x02 || tag == 0x08;
        archive_entry_acl_add_entry(entry, type, rights, known->second, has_id ? static_cast<int>(id) : -1, nullptr);
    }
}

}  // namespace

struct ExtImage::State {
    ext2_filsys system{nullptr};
    std::uint64_t counted{0};

    explicit State(const std::filesystem::path& file)
    {
        const auto problem =
            ext2fs_open(file.c_str(), EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES, 0, 0, unix_io_manager, &system);
        if (problem == ENOENT) {
            throw Error{ErrorCode::NotFound, "there is no " + file.string()};
        }
        check(problem, file.string() + " is no whole ext4 file system");
    }
    ~State() { ext2fs_free(system); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    std::uint64_t size() const { return ext2fs_blocks_count(system->super) * system->blocksize; }

    ext2_inode_large inode_of(ext2_ino_t number, const std::string& path) const
    {
        ext2_inode_large inode{};
        check(ext2fs_read_inode_full(system, number, reinterpret_cast<ext2_inode*>(&inode), sizeof inode),
              path + " can't be read");
        return inode;
    }

    std::vector<Child> children_of(ext2_ino_t folder, const std::string& path) const
    {
        std::vector<Child> children;
        check(ext2fs_dir_iterate2(system, folder, 0, nullptr, take_child, &children), path + " can't be listed");
        const bool is_top = folder == EXT2_ROOT_INO;
        std::erase_if(children, [is_top](const Child& child) {
            return child.name == "." || child.name == ".." ||
                   (is_top && child.name == "lost+found");  // mke2fs makes its own
        });
        for (const auto& child : children) {
            if (child.name.empty() || child.name.find_first_of(std::string_view{"/\0", 2}) != std::string::npos) {
                corrupt(path + " has an impossible name in it");
            }
        }
        return children;
    }

    /// What came out of all files together is bounded by the file system's own size: blocks and files that are in the tree more often than they say
    /// fill no other disk.
    void count(std::size_t bytes, const std::string& path)
    {
        counted += bytes;
        if (counted > size()) {
            corrupt(path + " and the files before it have more than the file system holds");
        }
    }

    void read(ext2_ino_t number, std::uint64_t bytes, const std::string& path, const Write& write)
    {
        constexpr unsigned step = 1U << 16U;
        if (bytes > size()) {
            corrupt(path + " is larger than the file system");
        }
        ext2_file_t file = nullptr;
        check(ext2fs_file_open(system, number, 0, &file), path + " can't be opened");
        const c_ptr<ext2_file, ext2fs_file_close> close{file};
        std::vector<char> buffer(step);
        for (std::uint64_t at = 0; at < bytes;) {
            unsigned got = 0;
            check(ext2fs_file_read(file, buffer.data(), step, &got), path + " can't be read");
            if (got == 0) {
                return;
            }
            const std::span<const char> part{buffer.data(), got};
            if (!all_zeros(part)) {
                count(part.size(), path);
                write(at, part);
            }
            at += got;
        }
    }

    std::string link_of(ext2_ino_t number, ext2_inode_large& inode, const std::string& path)
    {
        const std::uint64_t length = inode.i_size;
        if (length >= longest_path) {
            corrupt(path + " is too long for a link");
        }
        if (ext2fs_is_fast_symlink(reinterpret_cast<ext2_inode*>(&inode)) != 0) {
            return {reinterpret_cast<const char*>(inode.i_block), std::min<std::size_t>(length, sizeof inode.i_block)};
        }
        std::string target(length, '\0');
        read(number, length, path, [&target](std::uint64_t offset, std::span<const char> bytes) {
            for (std::size_t i = 0; i < bytes.size() && offset + i < target.size(); ++i) {
                target[offset + i] = bytes[i];
            }
        });
        return target;
    }

    void add_attributes(archive_entry* entry, ext2_ino_t number, const std::string& path) const
    {
        ext2_xattr_handle* handle = nullptr;
        check(ext2fs_xattrs_open(system, number, &handle), path + " has unreadable attributes");
        const std::unique_ptr<ext2_xattr_handle, CloseAttributes> owned{handle};
        check(ext2fs_xattrs_read(handle), path + " has unreadable attributes");
        std::vector<std::string> names;
        check(ext2fs_xattrs_iterate(handle, take_name, &names), path + " has unreadable attributes");
        for (const auto& name : names) {
            const bool is_access = name == "system.posix_acl_access";
            const bool is_list = is_access || name == "system.posix_acl_default";
            // The others are of the host's own kind: trusted., security.selinux and such.
            if (!is_list && !name.starts_with("user.") && name != "security.capability") {
                continue;
            }
            void* value = nullptr;
            std::size_t length = 0;
            check(ext2fs_xattr_get(handle, name.c_str(), &value, &length), path + " has unreadable attributes");
            const std::unique_ptr<void, FreeMemory> held{value};
            if (is_list) {
                add_acl(entry, {static_cast<const unsigned char*>(value), length},
                        is_access ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS : ARCHIVE_ENTRY_ACL_TYPE_DEFAULT);
            } else {
                archive_entry_xattr_add_entry(entry, name.c_str(), value, length);
            }
        }
    }
};

namespace {

/// What the tree's things have in common.
void describe(archive_entry* entry, const std::string& path, const ext2_inode_large& inode)
{
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_mode(entry, static_cast<mode_t>(inode.i_mode));
    archive_entry_set_uid(entry, inode_uid(inode));
    archive_entry_set_gid(entry, inode_gid(inode));
    archive_entry_set_mtime(entry, static_cast<std::int32_t>(inode.i_mtime), 0);
    archive_entry_set_atime(entry, static_cast<std::int32_t>(inode.i_atime), 0);
}

bool is_kept(unsigned mode) { return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISFIFO(mode); }

/// Whoever boots or changes the tree fills it anew, and stumbles over what is there already.
constexpr auto own_devices = "./dev";

struct Place {
    std::string path;
    ext2_ino_t inode;
};

}  // namespace

ExtImage::ExtImage(const std::filesystem::path& file) : state_{std::make_unique<State>(file)} {}
ExtImage::~ExtImage() = default;

void ExtImage::walk(const Visit& visit) const
{
    std::vector<Place> waiting{{".", EXT2_ROOT_INO}};
    std::map<ext2_ino_t, std::string> linked;
    std::set<ext2_ino_t> folders;
    std::size_t count = 0;
    while (!waiting.empty()) {
        const auto place = std::move(waiting.back());
        waiting.pop_back();
        const auto& path = place.path;
        const auto number = place.inode;
        if (path.size() > longest_path || ++count > most_entries) {
            corrupt("the tree is too deep or too large");
        }
        auto inode = state_->inode_of(number, path);
        if (!is_kept(inode.i_mode)) {
            continue;
        }
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        describe(entry.get(), path, inode);
        const bool is_folder = S_ISDIR(inode.i_mode);
        if (is_folder && !folders.insert(number).second) {
            corrupt(path + " is in the tree twice");
        }
        if (!is_folder && inode.i_links_count > 1) {
            const auto [first, is_first] = linked.emplace(number, path);
            if (!is_first) {
                archive_entry_set_hardlink(entry.get(), first->second.c_str());
                archive_entry_unset_size(entry.get());
                visit(entry.get(), [](const Write&) {});
                continue;
            }
        }
        if (S_ISLNK(inode.i_mode)) {
            archive_entry_set_symlink(entry.get(), state_->link_of(number, inode, path).c_str());
        }
        state_->add_attributes(entry.get(), number, path);
        const auto bytes = S_ISREG(inode.i_mode) ? EXT2_I_SIZE(&inode) : 0;
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
        visit(entry.get(), [&](const Write& write) { state_->read(number, bytes, path, write); });
        if (is_folder && path != own_devices) {
            for (auto& child : state_->children_of(number, path)) {
                waiting.push_back({path + "/" + child.name, child.inode});
            }
        }
    }
}

}  // namespace banger::unpack
