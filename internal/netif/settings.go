// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// baseSetting is a setting of net.ipv4.conf that the base interface of a virtual MAC needs. The kernel uses the greater of
// the interface's value and the one for all interfaces.
type baseSetting struct {
	value string // to set
	good  []int  // effective values that do as well
}

// baseSettings are, by name: an interface answers ARP requests for its own addresses only, so that the base interface
// does not answer for VIPs on the macvlan interface with the physical address (RFC 9568 section 8.1.2), and asks from
// its own addresses only, so that it does not claim a VIP when it sends for one.
var baseSettings = map[string]baseSetting{
	"arp_ignore":   {"1", []int{1, 2, 8}},
	"arp_announce": {"2", []int{2}},
}

// macSettings are the settings of a macvlan interface, below net.
//   - It answers for its own addresses only, as the base interface does.
//   - It takes packets from hosts that the host itself reaches through the base interface (rp_filter; the kernel uses the
//     greater of this value and the one for all interfaces, so strict filtering for all is made loose here).
//   - It makes no IPv6 address from the virtual MAC address (RFC 9568 section 7.4), neither a link-local one nor one from
//     a router advertisement.
//   - Its neighbour advertisements have the Router flag (section 8.2.2).
func macSettings(allRPFilter int) [][2]string {
	rpFilter := "0"
	if allRPFilter > 0 {
		rpFilter = "2"
	}
	return [][2]string{
		{"ipv4/conf/%s/arp_ignore", "1"},
		{"ipv4/conf/%s/arp_announce", "2"},
		{"ipv4/conf/%s/rp_filter", rpFilter},
		{"ipv6/conf/%s/addr_gen_mode", "1"},
		{"ipv6/conf/%s/accept_ra", "0"},
		{"ipv6/conf/%s/autoconf", "0"},
		{"ipv6/conf/%s/forwarding", "1"},
	}
}

// sysctls are the settings below /proc/sys/net of the calling thread's network namespace.
type sysctls struct{}

// get reads a setting.
func (sysctls) get(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join("/proc/sys/net", path))
	return strings.TrimSpace(string(b)), err
}

// set writes a setting.
func (sysctls) set(path, value string) error {
	f, err := os.OpenFile(filepath.Join("/proc/sys/net", path), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// ensure sets what has not the value yet. Without IPv6 there is nothing to set for it.
func ensure(k kernel, path, value string) error {
	now, err := k.get(path)
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(path, "ipv6/") {
		return nil
	}
	if err == nil && now != value {
		err = k.set(path, value)
	}
	if err != nil {
		return fmt.Errorf("set %s to %s: %w", sysctlName(path), value, err)
	}
	return nil
}

// sysctlName returns the name that sysctl(8) has for a path.
func sysctlName(path string) string {
	parts := strings.Split(path, "/")
	return "net." + strings.Join(parts, ".")
}

func (s setting) path() string { return "ipv4/conf/" + s.iface + "/" + s.name }

// number reads a setting that is a number.
func number(k kernel, path string) (int, error) {
	value, err := k.get(path)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", sysctlName(path), err)
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("read %s: %q is not a number", sysctlName(path), value)
	}
	return n, nil
}

// wantSetting returns the value to set a base interface's setting to and its present one; no value: nothing is to be set.
func wantSetting(k kernel, s setting) (value, now string, err error) {
	own, err := number(k, s.path())
	if err != nil {
		return "", "", err
	}
	all, err := number(k, setting{iface: "all", name: s.name}.path())
	if err != nil {
		return "", "", err
	}
	b := baseSettings[s.name]
	if slices.Contains(b.good, max(own, all)) {
		return "", "", nil
	}
	return b.value, strconv.Itoa(own), nil
}
