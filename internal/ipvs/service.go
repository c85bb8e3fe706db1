// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A ServiceKey says which virtual service is meant. It is comparable.
type ServiceKey struct {
	Protocol Protocol
	Address  netip.AddrPort // VIP and port
}

// String returns for example "tcp 192.0.2.10:80".
func (k ServiceKey) String() string { return k.Protocol.String() + " " + k.Address.String() }

// Compare orders services by protocol number, then by address and port.
func (k ServiceKey) Compare(other ServiceKey) int {
	return cmp.Or(cmp.Compare(k.Protocol, other.Protocol), k.Address.Compare(other.Address))
}

func (k ServiceKey) normalize() ServiceKey {
	k.Address = unmap(k.Address)
	return k
}

func (k ServiceKey) check() error {
	return cmp.Or(k.Protocol.check(), checkAddress(k.Address))
}

// The flags of a service (IP_VS_SVC_F_… of linux/ip_vs.h). What a scheduler flag means is its scheduler's affair: for sh
// the first is fallback and the second port, for mh likewise.
const (
	FlagPersistent uint32 = 0x01 // connections of a client stay with one destination for Timeout
	FlagOnePacket  uint32 = 0x04 // each UDP datagram is scheduled on its own
	FlagScheduler1 uint32 = 0x08
	FlagScheduler2 uint32 = 0x10
	FlagScheduler3 uint32 = 0x20

	// flagHashed is set by the kernel on every service that is in its hash table.
	flagHashed uint32 = 0x02
)

// Limits of a service. The kernel would take longer timeouts; ipvsadm's bound is kept.
const (
	maxSchedulerName = 15 // bytes: IP_VS_SCHEDNAME_MAXLEN with its terminating zero
	maxTimeout       = 31 * 24 * time.Hour
)

// A Service is a virtual service without its destinations. It is comparable.
type Service struct {
	Key       ServiceKey
	Scheduler string        // name of the kernel's scheduler: "wlc", "wrr", "mh", ...; 1 to 15 bytes
	Flags     uint32        // FlagPersistent, ...; the kernel's own flag "hashed" is neither wanted nor read
	Timeout   time.Duration // persistence timeout: whole seconds up to 31 days, used with FlagPersistent
	Netmask   uint8         // prefix length by which persistence groups clients; 0 means single hosts: 32 or 128
}

// netmaskOther is the Netmask of a service in the kernel whose mask is no prefix (255.0.255.0) or empty. Nobody can want
// it, so such a service is always set right.
const netmaskOther = 255

// normalize returns the form that the kernel would read back: see [Table.Normalize].
func (s Service) normalize() Service {
	s.Key = s.Key.normalize()
	s.Flags &^= flagHashed
	s.Timeout = (s.Timeout + time.Second - 1).Truncate(time.Second)
	if s.Netmask == 0 {
		s.Netmask = uint8(s.Key.Address.Addr().BitLen())
	}
	return s
}

// check tells what the kernel's messages cannot carry, or the kernel would take silently for something else.
func (s Service) check() error {
	if err := s.Key.check(); err != nil {
		return err
	}
	if n := len(s.Scheduler); n == 0 || n > maxSchedulerName || strings.ContainsRune(s.Scheduler, 0) {
		return fmt.Errorf("scheduler %q: want a name of 1 to %d bytes", s.Scheduler, maxSchedulerName)
	}
	if s.Timeout < 0 || s.Timeout > maxTimeout {
		return fmt.Errorf("persistence timeout %v: want 0 to %v", s.Timeout, maxTimeout)
	}
	if bits := s.Key.Address.Addr().BitLen(); int(s.Netmask) > bits {
		return fmt.Errorf("persistence netmask %d: want 0 to %d bits", s.Netmask, bits)
	}
	return nil
}

// describe returns the service's attributes for people: "wlc", "wlc persistent 5m0s netmask 24", "rr flags 0x4".
func (s Service) describe() string {
	text := s.Scheduler
	if s.Flags&FlagPersistent != 0 {
		text += fmt.Sprintf(" persistent %v", s.Timeout)
		if bits := s.Key.Address.Addr().BitLen(); s.Netmask != 0 && int(s.Netmask) != bits {
			text += fmt.Sprintf(" netmask %d", s.Netmask)
		}
	}
	if other := s.Flags &^ FlagPersistent; other != 0 {
		text += fmt.Sprintf(" flags %#x", other)
	}
	return text
}

// unmap returns a with an IPv4-mapped IPv6 address turned into the IPv4 address that is meant.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func checkAddress(a netip.AddrPort) error {
	switch addr := a.Addr(); {
	case !addr.IsValid():
		return errors.New("address is missing")
	case addr.Zone() != "":
		return fmt.Errorf("address %v: IPVS knows no zones", a)
	case addr.Is4In6():
		return fmt.Errorf("address %v: write it as the IPv4 address that it is", a)
	default:
		return nil
	}
}
