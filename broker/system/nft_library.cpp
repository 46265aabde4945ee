// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/nft_library.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <spdlog/spdlog.h>

#include <array>

#include "common/error.hpp"

namespace banger::broker {
namespace {

int take_generation(nl_msg* message, void* argument) noexcept
{
    const auto* attribute = nlmsg_find_attr(nlmsg_hdr(message), sizeof(nfgenmsg), NFTA_GEN_ID);
    if (attribute != nullptr) {
        *static_cast<std::uint32_t*>(argument) = ntohl(nla_get_u32(attribute));
    }
    return NL_OK;
}

}  // namespace

NftLibrary::NftLibrary() : context_{nft_ctx_new(NFT_CTX_DEFAULT)}
{
    if (!context_ || nft_ctx_buffer_output(context_.get()) != 0 || nft_ctx_buffer_error(context_.get()) != 0) {
        throw Error{ErrorCode::HostLacks, "libnftables does not start"};
    }
}

NftLibrary::Outcome NftLibrary::run(const std::string& script)
{
    const int code = nft_run_cmd_from_buffer(context_.get(), script.c_str());
    (void)nft_ctx_get_output_buffer(context_.get());
    const std::string said = nft_ctx_get_error_buffer(context_.get());
    if (code == 0) {
        return Outcome::Done;
    }
    spdlog::debug("libnftables: {}", said);
    const auto says = [&](const char* words) { return said.find(words) != std::string::npos; };
    if (says("No such file or directory")) {
        return Outcome::Absent;
    }
    if (says("Operation not supported") || says("Protocol not supported")) {
        throw Error{ErrorCode::HostLacks, "the kernel has no nftables, or not all of it that banger needs"};
    }
    (void)generation();  // says it where there is none, which has many words
    throw Error{ErrorCode::Failed, "the firewall refuses banger's rules"};
}

std::optional<std::string> NftLibrary::list(const std::string& command, Handles handles)
{
    unsigned flags = NFT_CTX_OUTPUT_STATELESS;
    if (handles == Handles::Yes) {
        flags |= NFT_CTX_OUTPUT_HANDLE;
    }
    nft_ctx_output_set_flags(context_.get(), flags);
    const int code = nft_run_cmd_from_buffer(context_.get(), command.c_str());
    std::string text = nft_ctx_get_output_buffer(context_.get());
    const std::string said = nft_ctx_get_error_buffer(context_.get());
    nft_ctx_output_set_flags(context_.get(), 0);
    if (code == 0) {
        return text;
    }
    if (said.find("No such file or directory") == std::string::npos) {
        spdlog::debug("libnftables: {}", said);
        (void)generation();
        throw Error{ErrorCode::Failed, "the firewall does not say what its rules are"};
    }
    return std::nullopt;
}

std::uint32_t NftLibrary::generation()
{
    const c_ptr<nl_sock, nl_socket_free> socket{nl_socket_alloc()};
    std::uint32_t found = 0;
    if (!socket || nl_connect(socket.get(), NETLINK_NETFILTER) < 0) {
        throw Error{ErrorCode::HostLacks, "the kernel's firewall does not answer"};
    }
    nl_socket_disable_auto_ack(socket.get());
    nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, take_generation, &found);
    nfgenmsg header{.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = 0};
    const int code =
        nl_send_simple(socket.get(), (NFNL_SUBSYS_NFTABLES << 8U) | NFT_MSG_GETGEN, 0, &header, sizeof header);
    if (code < 0 || nl_recvmsgs_default(socket.get()) < 0) {
        throw Error{ErrorCode::HostLacks, "the kernel has no nftables"};
    }
    return found;
}

}  // namespace banger::broker
