// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// heard is what a capture heard of the other end.
type heard struct {
	count     uint64 // adverts
	signed    []int  // the ids of their keys without repetition, 0 where there was none
	backwards int    // sequences that were not higher than the one before
	sequence  []byte
}

// listener captures the adverts that arrive at an end of a link.
type listener struct {
	conn *packet.Conn
	done chan struct{}
	heard
}

// capture starts a capture; it hears the other end only.
func capture(t *testing.T, e *end, f family) *listener {
	t.Helper()
	protocol := unix.ETH_P_IP
	if f == familyIPv6 {
		protocol = unix.ETH_P_IPV6
	}
	l := &listener{done: make(chan struct{})}
	err := e.do(func() error {
		ifi, err := net.InterfaceByName(ifname)
		if err != nil {
			return err
		}
		l.conn, err = packet.Listen(ifi, packet.Datagram, protocol, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.done)
		b := make([]byte, 1500)
		for {
			n, _, err := l.conn.ReadFrom(b)
			if err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
				return
			}
			l.take(f, b[:n])
		}
	}()
	t.Cleanup(func() { l.close() })
	return l
}

// close ends the capture and returns what it heard.
func (l *listener) close() heard {
	_ = l.conn.SetReadDeadline(time.Now()) // an error: it is closed
	<-l.done
	l.conn.Close()
	return l.heard
}

// Lengths of headers, and of the trailer of draft-cassen-vrrp-auth-hmac.
const (
	ipv6Header    = 40
	vrrpHeader    = 8
	trailer       = 28
	trailerKey    = 1
	trailerTime   = 4
	trailerHMAC   = 12
	protocolVRRP  = 112
	protocolField = 9 // IPv4
	nextHeader    = 6 // IPv6
)

// take counts an advert of the other end.
func (h *heard) take(f family, b []byte) {
	addressLength := 4
	if f == familyIPv6 {
		if len(b) < ipv6Header || b[nextHeader] != protocolVRRP {
			return
		}
		b = b[ipv6Header : ipv6Header+int(binary.BigEndian.Uint16(b[4:]))]
		addressLength = 16
	} else {
		if b[protocolField] != protocolVRRP {
			return
		}
		b = b[int(b[0]&0xf)*4 : binary.BigEndian.Uint16(b[2:])]
	}
	h.count++
	end, key := b[vrrpHeader+int(b[3])*addressLength:], 0
	if len(end) == trailer {
		key = int(end[trailerKey])
		sequence := end[trailerTime:trailerHMAC]
		if bytes.Compare(sequence, h.sequence) <= 0 {
			h.backwards++
		}
		h.sequence = bytes.Clone(sequence)
	}
	if n := len(h.signed); n == 0 || h.signed[n-1] != key {
		h.signed = append(h.signed, key)
	}
}
