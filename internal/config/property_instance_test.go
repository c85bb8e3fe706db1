// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// drawInstance returns any valid Instance, whose number makes what must be unique so.
func drawInstance(t *rapid.T, n int, tracks []Track) Instance {
	i := Instance{
		Name:          fmt.Sprintf("i%d", n),
		Interface:     rapid.StringMatching(`[a-z]{1,10}[0-9]`).Draw(t, "interface"),
		VRID:          uint8(n + 1),
		Version:       rapid.SampledFrom([]int{version2, version3}).Draw(t, "version"),
		Priority:      uint8(rapid.IntRange(1, 255).Draw(t, "priority")),
		Lease:         time.Duration(rapid.SampledFrom([]int{0, 3, 60, 3600}).Draw(t, "lease")) * time.Second,
		Preempt:       rapid.Bool().Draw(t, "preempt"),
		StartupDelay:  drawDuration(t, "startup_delay", 0, maxDelay),
		InitialBackup: rapid.Bool().Draw(t, "initial_backup"),
		Accept:        rapid.Bool().Draw(t, "accept"),
		Announce: Announce{
			Count:    rapid.IntRange(1, maxRounds).Draw(t, "count"),
			Interval: drawDuration(t, "interval", minRoundInterval, maxRoundInterval),
			Delay:    drawDuration(t, "delay", 0, maxDelay),
			Refresh:  drawDuration(t, "refresh", minRefresh, maxRefresh),
			Rate:     rapid.IntRange(minRate, maxRate).Draw(t, "rate"),
		},
	}
	i.InitialBackup = i.InitialBackup && i.Priority == ownerPriority
	if i.Preempt {
		i.PreemptDelay = drawDuration(t, "preempt_delay", 0, maxDelay)
	}
	i.AdvertInterval = time.Duration(rapid.IntRange(1, 4095).Draw(t, "advert_interval")) * advertIntervalUnit
	if i.Version == version2 {
		i.AdvertInterval = time.Duration(rapid.IntRange(1, 255).Draw(t, "advert_interval")) * time.Second
		i.Password = rapid.StringMatching(`[ -~]{0,8}`).Draw(t, "password")
	}
	drawAddresses(t, n, &i)
	if i.Password == "" && rapid.Bool().Draw(t, "auth") {
		i.Auth = drawAuth(t)
	}
	families := familiesOf(i.Addresses)
	if rapid.Bool().Draw(t, "unicast") {
		i.Unicast = &Unicast{TTL: rapid.IntRange(1, 255).Draw(t, "ttl"), MinTTL: rapid.IntRange(1, 255).Draw(t, "min_ttl")}
		for _, name := range families {
			format := map[string]string{"IPv4": "172.16.0.%d", "IPv6": "2001:db8:ffff::%d"}[name]
			i.Unicast.Sources = append(i.Unicast.Sources, netip.MustParseAddr(fmt.Sprintf(format, 1)))
			for k := range rapid.IntRange(1, maxPeers).Draw(t, "peers") {
				i.Unicast.Peers = append(i.Unicast.Peers, netip.MustParseAddr(fmt.Sprintf(format, k+2)))
			}
		}
		i.ChecksumCompat = i.Version == version3 && slices.Contains(families, "IPv4") && rapid.Bool().Draw(t, "checksum_compat")
	}
	for k := range rapid.IntRange(0, 2).Draw(t, "routes") {
		i.Routes = append(i.Routes, drawRoute(t, n, k))
		i.Rules = append(i.Rules, drawRule(t, n, k))
	}
	for _, track := range tracks {
		use := TrackUse{Name: track.Name}
		if i.Priority != ownerPriority {
			use.Weight = rapid.IntRange(-maxTrackWeight, maxTrackWeight).Draw(t, "weight")
		}
		i.Tracks = append(i.Tracks, use)
	}
	return i
}

// drawAddresses gives an instance its VIPs and, if they are of one family, perhaps a virtual MAC.
func drawAddresses(t *rapid.T, n int, i *Instance) {
	for k := range rapid.IntRange(1, 6).Draw(t, "addresses") {
		a := drawAddress(t, n, k)
		if i.Version == version2 {
			a = netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", n, k+1))
		}
		address := Address{
			Prefix:    netip.PrefixFrom(a, rapid.SampledFrom([]int{8, 24, a.BitLen()}).Draw(t, "prefix length")),
			Interface: rapid.SampledFrom([]string{i.Interface, "back"}).Draw(t, "address interface"),
		}
		if a.Is4() {
			address.Label = rapid.SampledFrom([]string{"", "vip:1"}).Draw(t, "label")
			address.Scope = rapid.SampledFrom([]int{0, 200, 253, 254}).Draw(t, "scope")
		}
		if k > 0 && rapid.Bool().Draw(t, "excluded") {
			i.Excluded = append(i.Excluded, address)
		} else {
			i.Addresses = append(i.Addresses, address)
		}
	}
	if len(familiesOf(i.Addresses)) == 1 && rapid.Bool().Draw(t, "virtual_mac") {
		i.VirtualMAC = fmt.Sprintf("vmac%d", n)
		i.Addresses[0].Interface = i.VirtualMAC
	}
}

func drawAuth(t *rapid.T) *Auth {
	a := &Auth{
		Mode:   rapid.SampledFrom([]string{"enforce", "permissive", "receive-only"}).Draw(t, "mode"),
		Replay: "time",
		Window: drawDuration(t, "window", minAuthWindow, maxAuthWindow),
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.Uint8Range(1, 255), 1, 3, rapid.ID).Draw(t, "ids") {
		a.Keys = append(a.Keys, Key{ID: id, Secret: rapid.SliceOfN(rapid.Byte(), minKey, maxKey).Draw(t, "secret")})
	}
	a.ActiveKey = rapid.SampledFrom(a.Keys).Draw(t, "active_key").ID
	return a
}

func drawRoute(t *rapid.T, n, k int) Route {
	r := Route{
		Destination: rapid.SampledFrom([]netip.Prefix{anyIPv4, anyIPv6, netip.PrefixFrom(drawAddress(t, 100+n, k), 16).Masked()}).Draw(t, "destination"),
		Interface:   rapid.SampledFrom([]string{"", "back"}).Draw(t, "interface"),
		Metric:      16*n + k, // unique
		Table:       rapid.IntRange(1, 4294967295).Draw(t, "table"),
	}
	if r.Destination.Addr().Is4() {
		r.Via, r.Source = netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")
	} else {
		r.Via, r.Source = netip.MustParseAddr("2001:db8:9::1"), netip.MustParseAddr("2001:db8:9::2")
	}
	return r
}

func drawRule(t *rapid.T, n, k int) Rule {
	r := Rule{
		Family: "ipv6", From: netip.MustParsePrefix("2001:db8:1::/48"), To: netip.MustParsePrefix("2001:db8::9/128"),
		IIF:    rapid.SampledFrom([]string{"", "back"}).Draw(t, "iif"),
		OIF:    rapid.SampledFrom([]string{"", "back"}).Draw(t, "oif"),
		FWMark: rapid.Uint32().Draw(t, "fwmark"),
		Table:  rapid.IntRange(1, 4294967295).Draw(t, "table"), Priority: 16*n + k + 1,
	}
	if rapid.Bool().Draw(t, "IPv4") {
		r.Family, r.From, r.To = "ipv4", netip.Prefix{}, netip.Prefix{}
	}
	return r
}

func drawTrack(t *rapid.T, n int, servers []VirtualServer) Track {
	k := Track{Name: fmt.Sprintf("t%d", n), Type: rapid.SampledFrom([]string{"interface", "file", "command", "process", "quorum"}).Draw(t, "type")}
	switch k.Type {
	case "interface":
		k.Interface = "up0"
	case "file":
		k.File = "/run/" + rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "file")
	case "command":
		k.Command, k.User = []string{"/bin/x", "-v"}, "nobody"
		k.Interval = drawDuration(t, "interval", minProbeInterval, maxProbeInterval)
		k.Timeout = drawDuration(t, "timeout", minProbeTimeout, k.Interval)
		k.Rise, k.Fall = rapid.IntRange(1, maxInARow).Draw(t, "rise"), rapid.IntRange(1, maxInARow).Draw(t, "fall")
	case "process":
		k.Process = rapid.SampledFrom([]string{"named", "/usr/sbin/a-name-of-more-than-15-bytes"}).Draw(t, "process")
		k.Count = rapid.IntRange(1, maxProcesses).Draw(t, "count")
	case "quorum":
		k.VirtualServer = rapid.SampledFrom(servers).Draw(t, "virtual_server").Name
	}
	return k
}

// writeInstance writes an instance as TOML, with one key a line.
func writeInstance(line func(format string, args ...any), i Instance) {
	line("[[vrrp]]\nname = %q\ninterface = %q\nvrid = %d\nversion = %d\npriority = %d", i.Name, i.Interface, i.VRID, i.Version, i.Priority)
	line("advert_interval = %q\nlease = %q\npreempt = %v", i.AdvertInterval, i.Lease, i.Preempt)
	line("preempt_delay = %q\nstartup_delay = %q\ninitial_backup = %v", i.PreemptDelay, i.StartupDelay, i.InitialBackup)
	line("checksum_compat = %v\naccept = %v", i.ChecksumCompat, i.Accept)
	line("addresses = %s\nexcluded = %s", addressTables(i.Addresses), addressTables(i.Excluded))
	if i.Password != "" {
		line("password = %s", quote(i.Password))
	}
	if i.VirtualMAC != "" {
		line("virtual_mac = %q", i.VirtualMAC)
	}
	var uses []string
	for _, u := range i.Tracks {
		if u.Weight == 0 {
			uses = append(uses, quote(u.Name))
		} else {
			uses = append(uses, fmt.Sprintf("{ name = %q, weight = %d }", u.Name, u.Weight))
		}
	}
	line("track = [%s]", strings.Join(uses, ", "))
	if u := i.Unicast; u != nil {
		line("[vrrp.unicast]\nttl = %d\nmin_ttl = %d\nsource = [%s]\npeers = [%s]", u.TTL, u.MinTTL, quoteAll(texts(u.Sources)), quoteAll(texts(u.Peers)))
	}
	a := i.Announce
	line("[vrrp.announce]\ncount = %d\ninterval = %q\ndelay = %q\nrefresh = %q\nrate = %d", a.Count, a.Interval, a.Delay, a.Refresh, a.Rate)
	if a := i.Auth; a != nil {
		line("[vrrp.auth]\nmode = %q\nactive_key = %d\nreplay = %q\nwindow = %q", a.Mode, a.ActiveKey, a.Replay, a.Window)
		for n, k := range a.Keys {
			secret := fmt.Sprintf("hex:%x", k.Secret)
			if n > 0 {
				secret = "base64:" + base64.StdEncoding.EncodeToString(k.Secret)
			}
			line("[[vrrp.auth.keys]]\nid = %d\nkey = %q", k.ID, secret)
		}
	}
	for _, r := range i.Routes {
		destination := r.Destination.String()
		if r.Destination.Bits() == 0 {
			destination = "default"
		}
		line("[[vrrp.route]]\ndestination = %q\nvia = %q\nsource = %q\nmetric = %d\ntable = %d", destination, r.Via, r.Source, r.Metric, r.Table)
		optional(line, "interface", r.Interface)
	}
	for _, r := range i.Rules {
		line("[[vrrp.rule]]\nfamily = %q\ntable = %d\npriority = %d", r.Family, r.Table, r.Priority)
		if r.From.IsValid() {
			line("from = %q\nto = %q", r.From, r.To)
		}
		if r.FWMark != 0 {
			line("fwmark = %d", r.FWMark)
		}
		optional(line, "iif", r.IIF)
		optional(line, "oif", r.OIF)
	}
}

// addressTables writes VIPs as a TOML array.
func addressTables(addresses []Address) string {
	var tables []string
	for _, a := range addresses {
		text := fmt.Sprintf("{ interface = %q, address = %q", a.Interface, a.Prefix)
		if a.Label != "" {
			text += fmt.Sprintf(", label = %q", a.Label)
		}
		for name, scope := range scopes {
			if scope == a.Scope && a.Prefix.Addr().Is4() {
				text += fmt.Sprintf(", scope = %q", name)
			}
		}
		tables = append(tables, text+" }")
	}
	return "[" + strings.Join(tables, ", ") + "]"
}

// writeTrack writes a track as TOML.
func writeTrack(line func(format string, args ...any), k Track) {
	line("[[track]]\nname = %q\ntype = %q", k.Name, k.Type)
	optional(line, "interface", k.Interface)
	optional(line, "file", k.File)
	optional(line, "process", k.Process)
	optional(line, "virtual_server", k.VirtualServer)
	if k.Count != 0 {
		line("count = %d", k.Count)
	}
	if k.Command != nil {
		line("command = %s\nuser = %q\ninterval = %q\ntimeout = %q\nrise = %d\nfall = %d", array(k.Command), k.User, k.Interval, k.Timeout, k.Rise, k.Fall)
	}
}

// optional writes a key unless its value is empty.
func optional(line func(format string, args ...any), key, value string) {
	if value != "" {
		line("%s = %q", key, value)
	}
}
