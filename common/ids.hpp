// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace banger {

/// A VM's name, which is its DNS label too. Shape: [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?
class VmName {
public:
    /// Throws InvalidArgument, saying which rule of the shape was broken.
    static VmName parse(std::string_view text);
    const std::string& str() const noexcept { return text_; }
    auto operator<=>(const VmName&) const = default;

private:
    explicit VmName(std::string text) : text_{std::move(text)} {}
    std::string text_;
};

/// A VM's identity, never reused. Shape: [a-z0-9]{12}; names its folder, unit and object path.
class VmId {
public:
    /// Throws InvalidArgument.
    static VmId parse(std::string_view text);
    /// From the kernel's random generator.
    static VmId random();
    const std::string& str() const noexcept { return text_; }
    auto operator<=>(const VmId&) const = default;

private:
    explicit VmId(std::string text) : text_{std::move(text)} {}
    std::string text_;
};

/// The sha256 that addresses an image or a kernel. Shape: [0-9a-f]{64}
class Digest {
public:
    /// Throws InvalidArgument.
    static Digest parse(std::string_view text);
    const std::string& str() const noexcept { return text_; }
    /// The first twelve digits, for people.
    std::string brief() const { return text_.substr(0, 12); }
    auto operator<=>(const Digest&) const = default;

private:
    explicit Digest(std::string text) : text_{std::move(text)} {}
    std::string text_;
};

/// An image's or kernel's name. Shape: [a-z0-9][a-z0-9._-]{0,62}
class ArtifactName {
public:
    /// Throws InvalidArgument.
    static ArtifactName parse(std::string_view text);
    const std::string& str() const noexcept { return text_; }
    auto operator<=>(const ArtifactName&) const = default;

private:
    explicit ArtifactName(std::string text) : text_{std::move(text)} {}
    std::string text_;
};

}  // namespace banger
