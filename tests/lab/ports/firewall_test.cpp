// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <chrono>
#include <memory>

#include "broker/system/net_sysctl.hpp"
#include "broker/system/nftables.hpp"
#include "tests/lab/ports/guest_wire.hpp"
#include "tests/lab/ports/support.hpp"

namespace banger::broker::test {
namespace {

constexpr Mac liar{0x02, 0xba, 0xee, 0, 0, 9};

/// Whether a datagram from namespace `outside` gets an answer: that nobody listens there.
bool is_answered(const std::string& to)
{
    return shell(
               "ip netns exec outside python3 -c 'import socket; s = socket.socket(type=socket.SOCK_DGRAM); "
               "s.settimeout(2); "
               "s.connect((\"" +
               to + "\", 9)); s.send(b\"?\"); s.recv(1)' 2>&1 | grep -q ConnectionRefused")
               .code == 0;
}

/// `outside`, a network namespace with 198.51.100.1 behind the host's up0, which is 198.51.100.2.
class FirewallPort : public ::testing::Test {
public:
    FirewallPort()
    {
        must(
            "nft flush ruleset; ip netns add outside && ip link add up0 type veth peer name up1 netns outside && "
            "ip addr add 198.51.100.2/24 dev up0 && ip link set up0 up && "
            "ip -n outside addr add 198.51.100.1/24 dev up1 && ip -n outside link set up1 up && ip -n outside link set "
            "lo up");
        must("echo 1 >/proc/sys/net/ipv4/conf/up0/forwarding");
        firewall.restore({});  // as a broker begins, and whenever it sees that others have changed something
    }
    ~FirewallPort() override
    {
        must("ip netns del outside; nft flush ruleset; iptables -P FORWARD ACCEPT; nft flush ruleset");
    }

    /// A guest whose frames pass as the rules let them.
    std::unique_ptr<GuestWire> guest(unsigned slot, uid_t uid, const std::string& id, Nat nat = Nat::Off)
    {
        auto network = network_of(slot, uid, id);
        network.nat = nat;
        auto wire = std::make_unique<GuestWire>(network);
        firewall.add(wire->network);
        wire->announce();
        return wire;
    }
    bool pings(GuestWire& from, std::uint32_t to)
    {
        static std::uint16_t number = 1;
        ++number;
        from.send(echo(from.network.mac, from.network.guest, to, number));
        return from.gets([&](const Frame& frame) { return is_echo_reply(frame, to, number); });
    }

    Nftables firewall;
    std::uint32_t outside = address("198.51.100.1");
};

TEST_F(FirewallPort, R22AGuestHasItsGatewaysEchoAndDnsAndNothingElseOfTheHost)
{
    const auto wire = guest(7, 1000, "web");
    const auto& [tap, altname, uid, gateway, self, mac, nat] = wire->network;
    wire->send(udp(mac, self, gateway, 53));
    EXPECT_TRUE(wire->gets([&](const Frame& frame) { return is_ip(frame, 1, gateway); })) << "port unreachable";
    wire->send(tcp_syn(mac, self, gateway, 53));
    EXPECT_TRUE(wire->gets([&](const Frame& frame) { return is_ip(frame, 6, gateway); })) << "reset";
    wire->send(udp(mac, self, gateway, 54));
    wire->send(tcp_syn(mac, self, gateway, 22));
    wire->send(udp(mac, self, outside + 1, 53));
    wire->send(echo(mac, self, outside + 1, 3));
    EXPECT_TRUE(wire->received().empty());
    // What would be seen without rules.
    must("nft flush ruleset");
    wire->send(tcp_syn(mac, self, gateway, 22));
    wire->send(echo(mac, self, outside + 1, 4));
    const auto seen = wire->received();
    const auto has = [&](std::uint8_t protocol, std::uint32_t from) {
        return std::any_of(seen.begin(), seen.end(), [&](const Frame& frame) { return is_ip(frame, protocol, from); });
    };
    EXPECT_TRUE(has(6, gateway) && has(1, outside + 1)) << seen.size() << " frames";
}

TEST_F(FirewallPort, R22AGuestCannotSayThatItIsAnother)
{
    const auto wire = guest(7, 1000, "web");
    const auto& [tap, altname, uid, gateway, self, mac, nat] = wire->network;
    must(
        "ip link add link bgr7 name v5 type vlan id 5 && ip link add link bgr7 name v6 type vlan proto 802.1ad id 5 && "
        "ip addr add 10.9.9.1/24 dev v5 && ip addr add 10.9.9.1/24 dev v6 && ip link set v5 up && ip link set v6 up && "
        "for v in v5 v6; do echo 1 >/proc/sys/net/ipv6/conf/$v/disable_ipv6; echo 0 "
        ">/proc/sys/net/ipv4/conf/$v/rp_filter; done");
    const auto vlan = address("10.9.9.1");
    // IGMP, too, is what a new interface of the host sends: answers alone count.
    const auto is_answer = [&](const Frame& frame) {
        const auto plain = frame[12] == '\x08' ? frame : frame.substr(0, 12) + frame.substr(16);
        return is_arp_reply(plain) || is_ip(plain, 1, gateway);
    };
    const auto lie = [&] {
        wire->send(arp(liar, mac, self, gateway));
        wire->send(arp(mac, liar, self, gateway));
        wire->send(arp(mac, mac, gateway + 8, gateway));
        wire->send(arp(mac, mac, 0, gateway));
        wire->send(echo(liar, self, gateway, 1));
        wire->send(echo(mac, self + 4, gateway, 2));
        wire->send(tagged(arp(mac, mac, vlan + 1, vlan), 0x8100));
        wire->send(tagged(arp(mac, mac, vlan + 1, vlan), 0x88a8));
        wire->send(tagged(arp(mac, mac, self, vlan), 0x8100));
        wire->send(tagged(arp(mac, mac, self, vlan), 0x88a8));
        const auto frames = wire->received();
        return std::count_if(frames.begin(), frames.end(), is_answer);
    };
    EXPECT_EQ(lie(), 0);
    EXPECT_EQ(must("ip neigh show dev bgr7 | grep -c 02:ba:ee || true"), "0\n");
    must("nft flush ruleset");
    EXPECT_GE(lie(), 6) << "without rules the host answers";
}

TEST_F(FirewallPort, R22ARouterAdvertisementAndAnOfferOfDhcpDoNotPass)
{
    const auto wire = guest(7, 1000, "web");
    must(
        "nft add table netdev probe && nft 'add chain netdev probe c { type filter hook ingress device \"bgr7\" "
        "priority 10; }' && "
        "nft add rule netdev probe c ether type ip6 counter && nft add rule netdev probe c udp sport 67 counter");
    const auto& mac = wire->network.mac;
    const auto advertisement =
        std::string("\x33\x33\0\0\0\1", 6) + std::string(mac.begin(), mac.end()) + "\x86\xdd" + std::string(60, '\0');
    auto offer = udp(mac, wire->network.guest + 1, 0xffffffff, 68);
    wire->send(advertisement);
    wire->send(offer);
    EXPECT_TRUE(wire->received().empty());
    EXPECT_EQ(must("nft list table netdev probe | grep -c 'packets 0' || true"), "2\n");
    must("nft delete chain netdev banger bgr7");
    wire->send(advertisement);
    (void)wire->received();
    EXPECT_EQ(must("nft list table netdev probe | grep -c 'packets 1' || true"), "1\n") << "what would be seen";
}

TEST_F(FirewallPort, R22GuestsOfOneUserReachEachOtherAndNobodyElses)
{
    const auto web = guest(7, 1000, "web", Nat::On);
    const auto db = guest(8, 1000, "db");
    const auto foreign = guest(9, 1001, "web", Nat::On);
    const auto number = std::uint16_t{9};
    const auto arrives = [&](GuestWire& from, GuestWire& to) {
        from.send(echo(from.network.mac, from.network.guest, to.network.guest, number));
        (void)from.received();
        return to.gets([&](const Frame& frame) { return is_ip(frame, 1, from.network.guest); });
    };
    EXPECT_TRUE(arrives(*web, *db));
    EXPECT_TRUE(arrives(*db, *web));
    EXPECT_FALSE(arrives(*web, *foreign));
    EXPECT_FALSE(arrives(*foreign, *web));
    EXPECT_FALSE(arrives(*foreign, *db));
    firewall.remove(db->network);
    EXPECT_FALSE(shell("nft list set inet banger user_1000").text.find("bgr7") == std::string::npos);
    must("nft flush ruleset");
    EXPECT_TRUE(arrives(*foreign, *web)) << "without rules";
}

TEST_F(FirewallPort, NatLetsOutAndSwitchingItOffStopsWhatExists)
{
    const auto wire = guest(7, 1000, "web");
    EXPECT_FALSE(pings(*wire, outside));
    wire->network.nat = Nat::On;
    firewall.set_nat(wire->network);
    EXPECT_TRUE(pings(*wire, outside));
    must("ip -n outside addr add 169.254.169.254/32 dev lo && ip route add 169.254.169.254 via 198.51.100.1");
    EXPECT_FALSE(pings(*wire, address("169.254.169.254")));
    wire->network.nat = Nat::Off;
    firewall.set_nat(wire->network);
    const auto same_flow = [&] { return pings(*wire, outside); };
    EXPECT_FALSE(same_flow());
    EXPECT_TRUE(firewall.is_whole());
}

TEST_F(FirewallPort, FromOutsideOnlyAnswersComeIn)
{
    const auto wire = guest(7, 1000, "web", Nat::On);
    must("ip -n outside route add 172.30.0.0/16 via 198.51.100.2");
    EXPECT_FALSE(is_answered("172.30.0.30"));
    EXPECT_FALSE(wire->gets([&](const Frame& frame) { return is_ip(frame, 17, outside); }));
    must("nft flush ruleset");
    EXPECT_FALSE(is_answered("172.30.0.30"));
    EXPECT_TRUE(wire->gets([&](const Frame& frame) { return is_ip(frame, 17, outside); })) << "without rules";
}

TEST_F(FirewallPort, AnUplinkIsForwardedToTapsAlone)
{
    const auto wire = guest(7, 1000, "web", Nat::On);
    must(
        "ip netns add beyond && ip link add far0 type veth peer name far1 netns beyond && ip addr add 203.0.113.2/24 "
        "dev far0 && "
        "ip link set far0 up && ip -n beyond addr add 203.0.113.1/24 dev far1 && ip -n beyond link set far1 up && "
        "ip -n beyond route add default via 203.0.113.2 && ip -n outside route add default via 198.51.100.2 && "
        "echo 1 >/proc/sys/net/ipv4/conf/far0/forwarding");
    const auto crosses = [] { return is_answered("203.0.113.1"); };
    EXPECT_TRUE(crosses());
    firewall.set_uplinks({"up0"});
    EXPECT_FALSE(crosses());
    EXPECT_TRUE(pings(*wire, outside));
    EXPECT_TRUE(firewall.is_whole());
    firewall.set_uplinks({});
    EXPECT_TRUE(crosses());
    must("ip netns del beyond");
}

TEST_F(FirewallPort, UplinksAreGuardedAlsoWhereNoTapIs)
{
    const auto is_guarded = [] { return shell("nft list set inet banger uplinks | grep -q up0").code == 0; };
    NftLibrary nft;
    for (const auto* why : {"the tables are not there", "a restore keeps them"}) {
        firewall.restore({});
        firewall.set_uplinks({"up0"});
        EXPECT_TRUE(is_guarded()) << why;
    }
    const auto before = nft.generation();
    firewall.set_uplinks({"up0"});
    EXPECT_EQ(nft.generation(), before) << "nobody has changed anything";
    must("nft flush ruleset");
    firewall.set_uplinks({"up0"});
    EXPECT_TRUE(is_guarded());
    firewall.set_uplinks({});
    EXPECT_NE(shell("nft list table inet banger").code, 0);
}

TEST_F(FirewallPort, UplinksOfAnEarlierBrokerAreGuardedUntilTheyAreOffAgain)
{
    const auto is_guarded = [] { return shell("nft list set inet banger uplinks | grep -q up0").code == 0; };
    const auto wire = guest(7, 1000, "web", Nat::On);
    firewall.set_uplinks({"up0"});
    Nftables after_a_restart;
    after_a_restart.expect_uplinks({"up0", "no name"});
    after_a_restart.restore({wire->network});
    EXPECT_TRUE(is_guarded());
    EXPECT_TRUE(after_a_restart.is_whole());
    after_a_restart.restore({});
    EXPECT_TRUE(is_guarded()) << "its forwarding is on still";
    after_a_restart.set_uplinks({});
    EXPECT_NE(shell("nft list table inet banger").code, 0);
}

TEST_F(FirewallPort, R33BeforeADroppingForwardTwoPlainRulesAreEnough)
{
    must("iptables -P FORWARD DROP");
    firewall.restore({});
    const auto before = must("iptables -S");
    {
        const auto wire = guest(7, 1000, "web", Nat::On);
        EXPECT_TRUE(pings(*wire, outside));
        const auto rules = must("iptables -S");
        EXPECT_NE(rules.find("-A FORWARD -i bgr7"), std::string::npos) << rules;
        EXPECT_NE(rules.find("-A FORWARD -o bgr7"), std::string::npos) << rules;
        must("iptables-save >/tmp/saved");
        EXPECT_TRUE(firewall.is_whole());
        firewall.add(wire->network);
        EXPECT_EQ(must("iptables -S FORWARD | grep -c bgr7"), "2\n");
        must("iptables -D FORWARD 1");
        EXPECT_FALSE(firewall.is_whole());
        firewall.restore({wire->network});
        EXPECT_EQ(must("iptables -S FORWARD | grep -c bgr7"), "2\n");
        EXPECT_TRUE(pings(*wire, outside));
        must("iptables -F FORWARD");
        EXPECT_FALSE(pings(*wire, outside)) << "what the two rules are for";
        must("iptables-restore </tmp/saved");
        EXPECT_TRUE(pings(*wire, outside)) << "a reload from what was saved";
        firewall.add(wire->network);
        EXPECT_EQ(must("iptables -S FORWARD | grep -c bgr7"), "2\n");
        must("iptables-restore </tmp/saved");
        firewall.remove(wire->network);
    }
    EXPECT_EQ(must("iptables -S"), before);
}

TEST_F(FirewallPort, DockersOwnChainComesFirst)
{
    must(
        "iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER && iptables -A "
        "DOCKER-USER -j RETURN");
    firewall.restore({});
    const auto before = must("iptables -S");
    const auto wire = guest(7, 1000, "web", Nat::On);
    EXPECT_EQ(must("iptables -S DOCKER-USER | grep -c bgr7"), "2\n");
    EXPECT_EQ(must("iptables -S FORWARD | grep -c bgr7 || true"), "0\n");
    EXPECT_NE(must("iptables -S DOCKER-USER | tail -1").find("-j RETURN"), std::string::npos);
    EXPECT_TRUE(pings(*wire, outside));
    EXPECT_TRUE(firewall.is_whole());
    Nftables after_a_restart;
    after_a_restart.restore({});
    EXPECT_EQ(must("iptables -S"), before);
    EXPECT_NE(shell("nft list table inet banger").code, 0);
    EXPECT_NE(shell("nft list table netdev banger").code, 0);
}

TEST_F(FirewallPort, AForwardThatAcceptsIsLeftAlone)
{
    must("iptables -A FORWARD -s 192.0.2.1 -j ACCEPT");
    const auto before = must("iptables -S");
    const auto wire = guest(7, 1000, "web", Nat::On);
    EXPECT_EQ(must("iptables -S"), before);
}

TEST_F(FirewallPort, WhatOthersTakeFromUsIsSeenAndWhatIsTheirsIsNot)
{
    const auto wire = guest(7, 1000, "web");
    EXPECT_TRUE(firewall.is_whole());
    must("nft add table inet somebody && nft add chain inet somebody c");
    EXPECT_TRUE(firewall.is_whole());
    for (const auto* damage :
         {"nft delete element inet banger taps '{ bgr7 }'", "nft flush chain inet banger from_guest",
          "nft delete table netdev banger", "nft insert rule inet banger forward accept", "nft flush ruleset"}) {
        must(damage);
        EXPECT_FALSE(firewall.is_whole()) << damage;
        EXPECT_FALSE(firewall.is_whole()) << damage;
        firewall.restore({wire->network});
        EXPECT_TRUE(firewall.is_whole()) << damage;
        EXPECT_TRUE(wire->received().empty());
    }
    EXPECT_FALSE(Nftables{}.is_whole()) << "one that has made nothing";
}

TEST_F(FirewallPort, R29AChangeOfOursHidesNothingThatOthersTookBeforeIt)
{
    const auto web = guest(7, 1000, "web");
    const auto old = guest(9, 1000, "old");
    std::unique_ptr<GuestWire> db;
    const std::vector<std::function<void()>> changes{
        [&] { db = guest(8, 1001, "db"); }, [&] { firewall.set_nat(web->network); },
        [&] { firewall.remove(old->network); }, [&] { firewall.set_uplinks({"up0"}); }};
    for (const auto* damage : {"nft flush ruleset", "nft delete element inet banger taps '{ bgr7 }'"}) {
        for (const auto& change : changes) {
            firewall.restore({web->network, old->network});
            EXPECT_TRUE(firewall.is_whole());
            must(damage);
            change();
            EXPECT_FALSE(firewall.is_whole()) << damage;
            EXPECT_FALSE(firewall.is_whole()) << damage;
            firewall.set_uplinks({});
            db.reset();
        }
    }
    firewall.restore({web->network});
    must("nft add table inet somebody");
    firewall.set_nat(web->network);
    EXPECT_FALSE(firewall.is_whole()) << "nobody had looked since the restore";
    firewall.restore({web->network});
    EXPECT_TRUE(firewall.is_whole());
    must("nft delete table inet somebody");
    firewall.set_nat(web->network);
    EXPECT_TRUE(firewall.is_whole()) << "that was seen to take nothing of ours";
}

TEST_F(FirewallPort, RemovingFailsOfNothingThatIsGone)
{
    const auto web = network_of(7, 1000, "web");
    const auto db = network_of(8, 1000, "db");
    {
        const auto first = guest(7, 1000, "web");
        const auto second = guest(8, 1000, "db");
    }
    firewall.remove(web);
    EXPECT_EQ(shell("nft list chain netdev banger bgr7").code, 1);
    EXPECT_EQ(shell("nft list chain inet banger user_1000").code, 0);
    Nftables{}.remove(web);
    EXPECT_EQ(shell("nft list chain inet banger user_1000").code, 0) << "another's of that user is there still";
    firewall.remove(db);
    EXPECT_EQ(shell("nft list chain inet banger user_1000").code, 1);
    EXPECT_EQ(shell("nft list set inet banger user_1000").code, 1);
    firewall.remove(db);
    must("nft flush ruleset");
    firewall.remove(db);
    firewall.restore({});
    EXPECT_EQ(must("nft list ruleset"), "");
    firewall.restore({});
}

TEST_F(FirewallPort, WhereNothingOfOursIsARestoreChangesNothing)
{
    NftLibrary nft;
    must("nft add table inet banger2");
    const auto before = nft.generation();
    firewall.restore({});
    EXPECT_EQ(nft.generation(), before);
    EXPECT_TRUE(firewall.is_whole());
    for (const std::string table : {"inet banger", "netdev banger"}) {
        must("nft add table " + table);
        firewall.restore({});
        EXPECT_EQ(shell("nft list table " + table).code, 1);
    }
    must("iptables -P FORWARD DROP");
    const auto wire = guest(7, 1000, "web");
    must("nft delete table inet banger; nft delete table netdev banger");
    EXPECT_EQ(shell("iptables -S FORWARD | grep -q bgr7").code, 0);
    Nftables{}.restore({});
    EXPECT_EQ(shell("iptables -S FORWARD | grep -q bgr7").code, 1);
}

TEST_F(FirewallPort, ARestoreGoesOnWithoutATapThatIsGone)
{
    const auto wire = guest(7, 1000, "web");
    firewall.restore({wire->network, network_of(8, 1001, "gone")});
    EXPECT_TRUE(firewall.is_whole());
    EXPECT_TRUE(wire->received().empty());
    EXPECT_TRUE(code_of([&] { firewall.add(network_of(9, 1001, "gone")); })) << "no TAP, no rules";
    EXPECT_EQ(shell("nft list chain inet banger user_1001 && nft list ruleset | grep bgr9").code, 1);
}

/// The median of five, in ms, of taking away and adding the TAP of slot 1.
double cost_of_add(Nftables& firewall, const SandboxNetwork& network)
{
    std::vector<double> took;
    for (int i = 0; i < 5; ++i) {
        firewall.remove(network);
        const auto begin = std::chrono::steady_clock::now();
        firewall.add(network);
        took.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::sort(took.begin(), took.end());
    return took[2];
}

TEST_F(FirewallPort, AddingToTwoHundredTapsCostsLittleMoreThanToOne)
{
    TunTaps taps;
    const auto network = [](unsigned slot) { return network_of(slot, 1000 + slot % 4, "t" + std::to_string(slot)); };
    taps.create(network(1));
    firewall.add(network(1));
    const auto alone = cost_of_add(firewall, network(1));
    std::vector<SandboxNetwork> all{network(1)};
    for (unsigned slot = 2; slot <= 200; ++slot) {
        all.push_back(network(slot));
        taps.create(all.back());
    }
    firewall.restore(all);
    const auto among = cost_of_add(firewall, network(1));
    std::printf("  add: %.1f ms alone, %.1f ms among 200 TAPs, %.2f times\n", alone, among, among / alone);
    for (unsigned slot = 1; slot <= 200; ++slot) {
        taps.remove(network(slot).altname);
    }
    RecordProperty("alone_us", static_cast<int>(1000 * alone));
    RecordProperty("among_us", static_cast<int>(1000 * among));
}

}  // namespace
}  // namespace banger::broker::test
