// SPDX-License-Identifier: Apache-2.0

package director

import (
	"fmt"
	"net/netip"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/netif"
	"github.com/lvs-ha/lvs-ha/internal/speaker"
	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

var protocols = map[string]ipvs.Protocol{"tcp": ipvs.TCP, "udp": ipvs.UDP, "sctp": ipvs.SCTP}

var forwards = map[string]ipvs.Forward{"masquerade": ipvs.Masquerade, "direct": ipvs.Direct, "tunnel": ipvs.Tunnel}

func service(vs config.VirtualServer, address netip.AddrPort) ipvs.Service {
	return ipvs.Service{Key: ipvs.ServiceKey{Protocol: protocols[vs.Protocol], Address: address}, Scheduler: vs.Scheduler}
}

func destination(rs config.RealServer) ipvs.Destination {
	return ipvs.Destination{Address: rs.Address, Forward: forwards[rs.Forward], Weight: rs.Weight}
}

// instances returns the VRRP instances that configuration and orders demand.
func instances(c *config.Config, o *overrides) []speaker.Instance {
	groups := make(map[string]string)
	for _, g := range c.SyncGroups {
		for _, member := range g.Members {
			groups[member] = g.Name
		}
	}
	scaled := make(map[string]bool)
	for _, t := range c.Tracks {
		scaled[t.Name] = t.Type == "file"
	}
	all := make([]speaker.Instance, 0, len(c.Instances))
	for _, i := range c.Instances {
		s := speaker.Instance{
			Name: i.Name, Interface: i.Interface, VRID: i.VRID, Version: vrrp.Version(i.Version), Priority: i.Priority,
			AdvertInterval: i.AdvertInterval, Preempt: i.Preempt, PreemptDelay: i.PreemptDelay,
			StartupDelay: i.StartupDelay, InitialBackup: i.InitialBackup, Lease: i.Lease,
			Password: i.Password, Auth: auth(i.Auth), Unicast: unicast(i.Unicast), ChecksumCompat: i.ChecksumCompat,
			VirtualMAC: i.VirtualMAC, Refuse: !i.Accept,
			Addresses: vips(i.Addresses), Excluded: vips(i.Excluded), Routes: routes(i.Routes), Rules: rules(i.Rules),
			Announce:     netif.Schedule{Count: i.Announce.Count, Interval: i.Announce.Interval, Delay: i.Announce.Delay, Refresh: i.Announce.Refresh},
			AnnounceRate: i.Announce.Rate, SyncGroup: groups[i.Name], Standby: o.Standby[i.Name],
		}
		if p, ok := o.Priority[i.Name]; ok {
			s.Priority = p
		}
		for _, t := range i.Tracks {
			s.Tracks = append(s.Tracks, speaker.TrackUse{Name: t.Name, Weight: t.Weight, Scaled: scaled[t.Name] && t.Weight != 0})
		}
		all = append(all, s)
	}
	return all
}

func vips(addresses []config.Address) []speaker.VIP {
	var all []speaker.VIP
	for _, a := range addresses {
		all = append(all, speaker.VIP{Address: netif.Address{Interface: a.Interface, Prefix: a.Prefix}, Label: a.Label, Scope: a.Scope})
	}
	return all
}

func routes(c []config.Route) []netif.Route {
	var all []netif.Route
	for _, r := range c {
		all = append(all, netif.Route(r))
	}
	return all
}

func rules(c []config.Rule) []netif.Rule {
	var all []netif.Rule
	for _, r := range c {
		all = append(all, netif.Rule{IPv6: r.Family == "ipv6", From: r.From, To: r.To, IIF: r.IIF, OIF: r.OIF, FWMark: r.FWMark, Table: r.Table, Priority: r.Priority})
	}
	return all
}

var authModes = map[string]vrrp.AuthMode{"enforce": vrrp.Enforce, "permissive": vrrp.Permissive, "receive-only": vrrp.ReceiveOnly}

var replayModes = map[string]vrrp.ReplayMode{"time": vrrp.ReplayTime, "monotonic": vrrp.ReplayMonotonic}

func auth(c *config.Auth) *vrrp.Auth {
	if c == nil {
		return nil
	}
	a := &vrrp.Auth{Mode: authModes[c.Mode], Active: c.ActiveKey, Replay: replayModes[c.Replay], Window: c.Window}
	for _, k := range c.Keys {
		a.Keys = append(a.Keys, vrrp.Key(k))
	}
	return a
}

// unicast splits the peers by family, since each family has adverts of its own.
func unicast(c *config.Unicast) map[vrrp.Family]vrrp.Unicast {
	if c == nil {
		return nil
	}
	all := make(map[vrrp.Family]vrrp.Unicast)
	for _, source := range c.Sources {
		f := vrrp.FamilyOf(source)
		u := vrrp.Unicast{Source: source, TTL: c.TTL, MinTTL: c.MinTTL}
		for _, peer := range c.Peers {
			if vrrp.FamilyOf(peer) == f {
				u.Peers = append(u.Peers, peer)
			}
		}
		all[f] = u
	}
	return all
}

func settings(c *config.Config) speaker.Settings {
	s := speaker.Settings{RealtimePriority: c.Speaker.RealtimePriority, Heartbeat: c.Speaker.Heartbeat}
	if c.Speaker.OnDirectorLoss == config.Hold {
		s.Hold = c.Speaker.HoldTime
	}
	return s
}

// targets returns what to probe, and whose verdict each probe gives.
func targets(c *config.Config) ([]health.Target, map[string]targetID) {
	var all []health.Target
	ids := make(map[string]targetID)
	for _, vs := range c.VirtualServers {
		for _, rs := range vs.RealServers {
			if rs.Check == nil {
				continue
			}
			id := targetID{vs.Name, rs.Address}
			ids[id.String()] = id
			all = append(all, health.Target{ID: id.String(), Address: rs.Address, Check: check(rs.Check)})
		}
	}
	return all, ids
}

func check(c *config.Check) health.Check {
	h := health.Check{Type: health.Type(c.Type), Interval: c.Interval, Timeout: c.Timeout, Rise: c.Rise, Fall: c.Fall}
	switch c.Type {
	case "http", "https":
		h.HTTP = &health.HTTP{
			Method: c.Method, Path: c.Path, Host: c.Host, Headers: c.Headers,
			ExpectBody: c.ExpectBody, ExpectRegexp: c.ExpectRegexp,
		}
		for _, r := range c.ExpectStatus {
			h.HTTP.ExpectStatus = append(h.HTTP.ExpectStatus, health.StatusRange{Low: r[0], High: r[1]})
		}
	case "udp":
		h.UDP = &health.UDP{Send: c.Send, Expect: c.Expect}
	}
	if c.Type == "https" {
		h.TLS = &health.TLS{ServerName: c.TLSServerName, CAFile: c.CAFile, SkipVerify: c.SkipVerify}
	}
	return h
}

// probed names a real server of a virtual server in events.
func probed(id targetID) string {
	return fmt.Sprintf("%s: real server %s", id.virtualServer, id.realServer)
}
