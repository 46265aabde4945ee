// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace banger::agent {

/// Where an OCI image is to come from.
struct OciSource {
    enum class Kind { Registry, Folder, Archive };
    Kind kind;
    std::string
        reference;  ///< as banger writes it, without digest: docker://docker.io/library/alpine:latest, oci:/x/y:tag
    std::string registry{};    ///< HOST[:PORT]; empty: none
    std::string repository{};  ///< of a registry: docker://HOST/PATH, without tag and digest
    std::string path{};        ///< of a folder or archive, absolute
    std::string tag{};         ///< in that; empty: none
    std::string digest{};      ///< sha256:HEX where the reference has one; empty else
    bool loopback{false};      ///< the registry's host is a loopback address, by number
    std::string name;          ///< for the image, where nobody gives one; empty: none can be made of it

    bool operator==(const OciSource&) const = default;
};

/// Shape: docker://[HOST[:PORT]/]PATH[:TAG][@sha256:HEX], oci:FOLDER[:TAG], oci-archive:FILE[:TAG]; what is left out is what docker takes
/// (docker.io, library/, latest). Throws InvalidArgument.
OciSource parse_oci_source(std::string_view text);

/// "sha256:" and 64 hexadecimal digits.
bool is_oci_digest(std::string_view text);

}  // namespace banger::agent
