// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseMACs makes the macvlan interfaces that are wanted, and sets up those that shall be up. It returns the names of those
// that there are not: no address may be added to an interface of such a name, which is somebody else's.
func (p *pass) raiseMACs(want []VirtualMAC) (barred map[string]bool) {
	barred = make(map[string]bool)
	changes, created := p.planMACs(want, barred)
	bases := p.prepareBases(want, barred)
	if len(changes)+len(bases) > 0 {
		p.record()
	}
	for s, value := range bases {
		if err := p.kernel.set(s.path(), value); err != nil {
			p.fail(fmt.Errorf("set %s to %s: %w", sysctlName(s.path()), value, err))
		}
	}
	p.change(changes)
	var up []operation
	for _, v := range want {
		l := p.links.byName[v.Name]
		switch {
		case barred[v.Name]:
		case l == nil || !p.held.owns(l):
			barred[v.Name] = true // creating it failed
		case created[v.Name] || v.Up && l.flags&unix.IFF_UP == 0:
			p.settle(v)
			if v.Up {
				up = append(up, linkOp{linkUp, v})
			}
		}
	}
	p.change(up)
	return barred
}

// planMACs returns the operations that create what is missing, after removing what is not as wanted, and names what is
// created. The operations' holdings are noted.
func (p *pass) planMACs(want []VirtualMAC, barred map[string]bool) (changes []operation, created map[string]bool) {
	created = make(map[string]bool)
	seen := make(map[string]bool)
	for _, v := range want {
		l, base := p.links.byName[v.Name], p.links.byName[v.Interface]
		var failed error
		switch {
		case seen[v.Name]:
			p.fail(fmt.Errorf("create virtual MAC interface %s: its name is wanted twice", v))
			continue
		case len(v.HardwareAddr) != 6:
			failed = errors.New("not an Ethernet address")
		case base == nil:
			failed = fmt.Errorf("no interface %s", v.Interface)
		case l != nil && !p.held.owns(l):
			failed = errors.New("an interface of this name is there and not lvs-ha's; remove or rename that one, or choose another name")
		}
		seen[v.Name] = true
		if failed != nil {
			p.fail(fmt.Errorf("create virtual MAC interface %s: %w", v, failed))
			barred[v.Name] = true
			continue
		}
		record := macLink{v.Interface, base.index, v.HardwareAddr.String()}
		if l != nil && p.held.macs[v.Name] == record {
			continue
		}
		if l != nil {
			changes = append(changes, linkOp{linkDelete, v})
		}
		changes = append(changes, linkOp{linkCreate, v})
		created[v.Name] = true
		p.held.macs[v.Name] = record
	}
	return changes, created
}

// prepareBases returns the settings to change on the base interfaces, and notes their former values.
func (p *pass) prepareBases(want []VirtualMAC, barred map[string]bool) map[setting]string {
	values := make(map[setting]string)
	seen := make(map[string]bool)
	for _, v := range want {
		if barred[v.Name] || seen[v.Interface] {
			continue
		}
		seen[v.Interface] = true
		for name := range baseSettings {
			s := setting{v.Interface, p.links.index(v.Interface), name}
			value, now, err := wantSetting(p.kernel, s)
			p.fail(err)
			if value == "" {
				continue
			}
			values[s] = value
			if _, noted := p.held.settings[s]; !noted {
				p.held.settings[s] = now
			}
		}
	}
	return values
}

// settle sets the settings of a macvlan interface before it is set up.
func (p *pass) settle(v VirtualMAC) {
	all, err := number(p.kernel, "ipv4/conf/all/rp_filter")
	p.fail(err)
	for _, s := range macSettings(all) {
		p.fail(ensure(p.kernel, fmt.Sprintf(s[0], v.Name), s[1]))
	}
}

// change applies operations on links and reads the links again.
func (p *pass) change(ops []operation) {
	if len(ops) == 0 {
		return
	}
	p.apply(ops)
	s, err := p.kernel.links()
	if err != nil {
		p.fail(err)
		return
	}
	p.links = s
}

// lowerMACs sets down the macvlan interfaces of ours that shall not be up, removes those that are not wanted, and gives
// base interfaces without any their former settings.
func (p *pass) lowerMACs(want []VirtualMAC) {
	wanted, bases := make(map[string]VirtualMAC), make(map[string]bool)
	for _, v := range want {
		wanted[v.Name] = v
		bases[v.Interface] = true
	}
	var ops []operation
	for name, m := range p.held.macs {
		l := p.links.byName[name]
		v, keep := wanted[name]
		switch {
		case l == nil || !p.held.owns(l):
			delete(p.held.macs, name)
		case !keep:
			ops = append(ops, linkOp{linkDelete, VirtualMAC{Name: name, Interface: m.base, HardwareAddr: l.hardware}})
		case !v.Up && l.flags&unix.IFF_UP != 0:
			ops = append(ops, linkOp{linkDown, v})
		}
	}
	for i, err := range p.apply(ops) {
		if o := ops[i].(linkOp); o.kind == linkDelete && err == nil {
			delete(p.held.macs, o.mac.Name)
		}
	}
	for s, former := range p.held.settings {
		if !bases[s.iface] && p.giveBack(s, former) {
			delete(p.held.settings, s)
		}
	}
	p.record()
}

// giveBack sets a setting to its former value, unless somebody has changed it since, and reports whether that is settled.
func (p *pass) giveBack(s setting, former string) bool {
	now, err := p.kernel.get(s.path())
	if err == nil && now == baseSettings[s.name].value {
		err = p.kernel.set(s.path(), former)
	}
	if err != nil {
		p.fail(fmt.Errorf("set %s back to %s: %w", sysctlName(s.path()), former, err))
	}
	return err == nil
}

// outcome implements operation.
func (o linkOp) outcome(err error) error {
	switch {
	case o.kind == linkDelete && errors.Is(err, unix.ENODEV):
		return nil
	case o.kind == linkCreate && errors.Is(err, unix.EOPNOTSUPP):
		err = fmt.Errorf("%w (this kernel has no macvlan; is its module there?)", err)
	case o.kind == linkUp && errors.Is(err, unix.EADDRINUSE):
		err = fmt.Errorf("%w (another interface on %s has this address)", err, o.mac.Interface)
	}
	return fmt.Errorf("%s virtual MAC interface %s: %w", o.kind, o.mac, explain(err))
}
