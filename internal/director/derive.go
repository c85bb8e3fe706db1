// SPDX-License-Identifier: Apache-2.0

package director

import (
	"net/netip"

	"github.com/lvs-ha/lvs-ha/internal/config"
	"github.com/lvs-ha/lvs-ha/internal/health"
	"github.com/lvs-ha/lvs-ha/internal/ipvs"
	"github.com/lvs-ha/lvs-ha/internal/syncd"
)

// targetID names a real server of a virtual server, for probes and verdicts.
type targetID struct {
	virtualServer string
	realServer    netip.AddrPort
}

func (t targetID) String() string { return t.virtualServer + " " + t.realServer.String() }

// verdictOf returns what the probes say of a real server; healthy when it has
// no check.
func verdictOf(verdicts map[targetID]health.Verdict, vs string, rs config.RealServer) health.Verdict {
	if rs.Check == nil {
		return health.Healthy
	}
	return verdicts[targetID{vs, rs.Address}]
}

// deriveTable returns the IPVS table that configuration and verdicts demand.
// While a verdict is unknown a real server keeps the weight that have, the
// kernel's table, gives it; one that is not there starts at weight 0.
func deriveTable(c *config.Config, verdicts map[targetID]health.Verdict, have ipvs.Table) ipvs.Table {
	weights := make(map[ipvs.DestinationKey]int)
	for _, e := range have {
		for _, d := range e.Destinations {
			weights[ipvs.DestinationKey{Service: e.Service.Key, Address: d.Address}] = d.Weight
		}
	}
	var t ipvs.Table
	for _, vs := range c.VirtualServers {
		for _, address := range vs.Addresses {
			service := service(vs, address)
			entry := ipvs.Entry{Service: service}
			for _, rs := range vs.RealServers {
				if !sameFamily(address, rs.Address) {
					continue
				}
				verdict := verdictOf(verdicts, vs.Name, rs)
				if verdict == health.Failed && vs.OnFailure == "remove" {
					continue
				}
				d := destination(rs)
				switch verdict {
				case health.Failed:
					d.Weight = 0
				case health.Unknown:
					d.Weight = weights[ipvs.DestinationKey{Service: service.Key, Address: rs.Address}]
				}
				entry.Destinations = append(entry.Destinations, d)
			}
			t = append(t, entry)
		}
	}
	return t.Normalize()
}

func sameFamily(a, b netip.AddrPort) bool { return a.Addr().Is4() == b.Addr().Is4() }

// deriveSync returns the sync daemons that the kernel should run: one, whose
// role is that of the followed instance.
func deriveSync(c *config.Config, master func(instance string) bool) []syncd.Daemon {
	if c.Sync.Mode != "multicast" {
		return nil
	}
	role := syncd.Backup
	if master(c.Sync.Instance) {
		role = syncd.Master
	}
	return []syncd.Daemon{{Role: role, Config: syncd.Config{Interface: c.Sync.Interface, ID: c.Sync.ID}}}
}
