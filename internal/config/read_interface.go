// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
)

// maxInterfaceName is IFNAMSIZ of include/uapi/linux/if.h without the final zero byte.
const maxInterfaceName = 15

// interfaceName reads the name of a network interface that must be there.
func (r *reader) interfaceName(t *table, key string) field[string] {
	return r.checkInterface(key, t.text(key), "", r.doc.warnf)
}

// checkInterface holds the name of an interface against the kernel's rules, and tells report if this machine does not
// have it. An instance's own virtual MAC interface need not be there.
func (r *reader) checkInterface(key string, f field[string], virtualMAC string, report func(at int, format string, args ...any)) field[string] {
	if !f.ok || f.value == virtualMAC {
		return f
	}
	if fault := interfaceFault(f.value); fault != "" {
		r.doc.errorf(f.at, "%s is %q, expected %s", key, f.value, fault)
		f.ok = false
		return f
	}
	r.interfaces.use(f.value, f.at, r.doc)
	if r.host != nil {
		if _, exists := r.host.InterfaceAddresses(f.value); !exists {
			report(f.at, "interface %q does not exist on this machine: expected one that `ip link` shows", f.value)
		}
	}
	return f
}

// interfaceFault says what a name would have to be for the kernel to take it (dev_valid_name in net/core/dev.c); empty if
// it is that.
func interfaceFault(name string) string {
	switch {
	case len(name) > maxInterfaceName:
		return fmt.Sprintf("a name of at most %d bytes", maxInterfaceName)
	case name == "." || name == ".." || strings.ContainsAny(name, "/:\x00") || strings.ContainsFunc(name, unicode.IsSpace):
		return `a name without "/", ":" and spaces`
	}
	return ""
}

// virtualMAC reads the name of the interface that has the instance's virtual MAC address; empty if there is none.
func (r *reader) virtualMAC(t *table, i Instance, families []string) string {
	f := get[any](t, "virtual_mac", "")
	name := ""
	switch v := f.value.(type) {
	case nil:
	case bool:
		if v && len(families) == 1 && i.VRID > 0 {
			name = fmt.Sprintf("%s.%d", map[string]string{"IPv4": "vrrp", "IPv6": "vrrp6"}[families[0]], i.VRID)
		}
	case string:
		if fault := interfaceFault(v); fault != "" || v == "" {
			r.doc.errorf(f.at, "virtual_mac is %q, expected true or %s", v, cmp.Or(fault, "the name of an interface to make"))
		} else {
			name = v
		}
	default:
		r.doc.errorf(f.at, "virtual_mac is %s, expected true, false or the name of an interface to make", describe(v))
	}
	if on, isBool := f.value.(bool); f.value != nil && (on || !isBool) && len(families) > 1 {
		r.doc.errorf(f.at, "virtual_mac is not for an instance of both families, whose virtual MAC addresses differ: expected two instances, one with the IPv4 and one with the IPv6 addresses")
	}
	if name == "" {
		return ""
	}
	if line, again := r.virtualMACs.use(name, f.at, r.doc); again {
		r.doc.errorf(f.at, "virtual MAC interface %q is also in line %d, expected another name: virtual_mac = \"NAME\"", name, line)
	}
	return name
}

// checkVirtualMACs reports virtual MAC interfaces with the name of an interface that the file expects to be there.
func (r *reader) checkVirtualMACs() {
	for name, at := range r.virtualMACs {
		if other, taken := r.interfaces[name]; taken {
			r.doc.errorf(at, "virtual MAC interface %q is another interface in line %d, expected a name that is free: virtual_mac = \"NAME\"",
				name, r.doc.line(other))
		}
	}
}
