// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"slices"
)

// maxPeers is how many peers of a family an instance can have: as many as their state is kept of.
const maxPeers = 16

// host is an address and where in the file it stands.
type host struct {
	address netip.Addr
	at      int
}

// unicast reads the [vrrp.unicast] table, nil if there is none. families are those of the instance.
func (r *instanceReader) unicast(t *table, families []string) *Unicast {
	if t == nil {
		return nil
	}
	u := &Unicast{TTL: t.integer("ttl", 1, 255).or(255), MinTTL: t.integer("min_ttl", 1, 255).or(255)}
	t.require("source", "own address of each family of the VIPs, where advertisements come from")
	texts, ok := t.oneOrMore("source", `"10.0.0.1"`)
	sources := r.hosts(t, "source", texts, ok, families, 1)
	t.require("peers", "the addresses of the other directors")
	texts, ok = t.texts("peers", `"10.0.0.2"`)
	peers := r.hosts(t, "peers", texts, ok, families, maxPeers)
	for _, s := range sources {
		u.Sources = append(u.Sources, s.address)
	}
	for _, p := range peers {
		if slices.Contains(u.Sources, p.address) {
			r.doc.errorf(p.at, "peer %s is this director's own address, its source: expected the others' only", p.address)
		}
		u.Peers = append(u.Peers, p.address)
	}
	return u
}

// hosts reads the addresses of a key, complete if texts are all that it holds: of each family of the instance at least one
// and at most limit, of another none.
func (r *instanceReader) hosts(t *table, key string, texts []field[string], complete bool, families []string, limit int) []host {
	var hosts []host
	counts := make(map[string]int)
	seen := unique[netip.Addr]{}
	for _, text := range texts {
		a, err := parseAddress(text.value)
		if err != nil {
			r.doc.errorf(text.at, "bad address %q in %s: %v", text.value, key, err)
			complete = false
			continue
		}
		line, again := seen.use(a, text.at, r.doc)
		counts[family(a)]++
		switch {
		case again:
			r.doc.errorf(text.at, "%s is also in line %d: expected it once", a, line)
		case len(families) > 0 && !slices.Contains(families, family(a)):
			r.doc.errorf(text.at, "%s in %s is %s and no VIP of the instance is: leave it out", a, key, family(a))
		case counts[family(a)] == limit+1:
			r.doc.errorf(text.at, "%s is one too many: expected at most %d of a family in %s", a, limit, key)
		}
		hosts = append(hosts, host{a, text.at})
	}
	for _, name := range families {
		if complete && counts[name] == 0 {
			r.doc.errorf(t.place.field(key).value, "%s has no %s address, expected one as for the VIPs", key, name)
		}
	}
	return hosts
}

// checksumCompat reads whether to use old keepalived's checksum, which only unicast of version 3 over IPv4 has.
func (r *instanceReader) checksumCompat(t *table, i *Instance, families []string) {
	f := t.boolean("checksum_compat")
	i.ChecksumCompat = f.value
	if !f.value {
		return
	}
	switch {
	case i.Unicast == nil:
		r.doc.errorf(f.at, "checksum_compat is for unicast only: leave it out")
	case i.Version == version2:
		r.doc.errorf(f.at, "checksum_compat is for version 3 only: leave it out")
	case len(families) > 0 && !slices.Contains(families, "IPv4"):
		r.doc.errorf(f.at, "checksum_compat is for IPv4 only: leave it out")
	}
}
