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
)

var protocols = map[string]ipvs.Protocol{"tcp": ipvs.TCP, "udp": ipvs.UDP, "sctp": ipvs.SCTP}

var forwards = map[string]ipvs.Forward{"masquerade": ipvs.Masquerade, "direct": ipvs.Direct, "tunnel": ipvs.Tunnel}

func service(vs config.VirtualServer, address netip.AddrPort) ipvs.Service {
	return ipvs.Service{Key: ipvs.ServiceKey{Protocol: protocols[vs.Protocol], Address: address}, Scheduler: vs.Scheduler}
}

func destination(rs config.RealServer) ipvs.Destination {
	return ipvs.Destination{Address: rs.Address, Forward: forwards[rs.Forward], Weight: rs.Weight}
}

func instances(c *config.Config) []speaker.Instance {
	all := make([]speaker.Instance, 0, len(c.Instances))
	for _, i := range c.Instances {
		s := speaker.Instance{
			Name: i.Name, Interface: i.Interface, VRID: i.VRID, Priority: i.Priority,
			AdvertInterval: i.AdvertInterval, Preempt: i.Preempt, Lease: i.Lease,
		}
		for _, a := range i.Addresses {
			s.Addresses = append(s.Addresses, netif.Address{Interface: a.Interface, Prefix: a.Prefix})
		}
		all = append(all, s)
	}
	return all
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
