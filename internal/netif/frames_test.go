// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var testMAC = net.HardwareAddr{2, 0, 0x5e, 0, 0x53, 1}

// describe tells what another implementation reads in a frame.
func describe(t *testing.T, frame []byte) string {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatalf("frame %x: %v", frame, e.Error())
	}
	eth := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	link := fmt.Sprintf("%s > %s ", eth.SrcMAC, eth.DstMAC)
	if a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
		return link + fmt.Sprintf("ARP %s/%s op %d, sender %s %s, target %s %s", a.AddrType, a.Protocol, a.Operation,
			net.HardwareAddr(a.SourceHwAddress), net.IP(a.SourceProtAddress),
			net.HardwareAddr(a.DstHwAddress), net.IP(a.DstProtAddress))
	}
	ip := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	na := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
	s := link + fmt.Sprintf("IPv6 %s > %s hop limit %d, %s router %t solicited %t override %t target %s",
		ip.SrcIP, ip.DstIP, ip.HopLimit, p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6).TypeCode,
		na.Router(), na.Solicited(), na.Override(), na.TargetAddress)
	for _, o := range na.Options {
		s += fmt.Sprintf(", option %s %s", o.Type, net.HardwareAddr(o.Data))
	}
	return s
}

func TestAnnouncement(t *testing.T) {
	tests := map[string]struct {
		vip    string
		router bool
		want   []string
	}{
		"IPv4": {vip: "192.0.2.10", want: []string{
			"02:00:5e:00:53:01 > ff:ff:ff:ff:ff:ff ARP Ethernet/IPv4 op 1, " +
				"sender 02:00:5e:00:53:01 192.0.2.10, target 00:00:00:00:00:00 192.0.2.10",
			"02:00:5e:00:53:01 > ff:ff:ff:ff:ff:ff ARP Ethernet/IPv4 op 2, " +
				"sender 02:00:5e:00:53:01 192.0.2.10, target 02:00:5e:00:53:01 192.0.2.10",
		}},
		"IPv6 host": {vip: "2001:db8::10", want: []string{
			"02:00:5e:00:53:01 > 33:33:00:00:00:01 IPv6 2001:db8::10 > ff02::1 hop limit 255, NeighborAdvertisement " +
				"router false solicited false override true target 2001:db8::10, option TargetAddress 02:00:5e:00:53:01",
		}},
		"IPv6 router": {vip: "2001:db8::10", router: true, want: []string{
			"02:00:5e:00:53:01 > 33:33:00:00:00:01 IPv6 2001:db8::10 > ff02::1 hop limit 255, NeighborAdvertisement " +
				"router true solicited false override true target 2001:db8::10, option TargetAddress 02:00:5e:00:53:01",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			frames, err := announcement(netip.MustParseAddr(tt.vip), testMAC, tt.router)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range frames {
				got = append(got, describe(t, f))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAdvertisementChecksum checks the ICMPv6 checksum by gopacket's own computation.
func TestAdvertisementChecksum(t *testing.T) {
	frame, err := unsolicitedAdvertisement(netip.MustParseAddr("2001:db8::10"), testMAC, true)
	if err != nil {
		t.Fatal(err)
	}
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	ip := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	icmp := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
	got := icmp.Checksum
	if err := icmp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	payload := gopacket.Payload(icmp.LayerPayload())
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{ComputeChecksums: true}, icmp, payload); err != nil {
		t.Fatal(err)
	}
	if got != icmp.Checksum {
		t.Errorf("checksum %04x, want %04x", got, icmp.Checksum)
	}
}
