// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUDP(t *testing.T) {
	tests := []struct {
		name   string
		udp    *UDP
		reply  func([]byte) []byte
		reason string
	}{
		{"any reply is health", nil, constant("no"), ""},
		{"empty reply is health", nil, constant(""), ""},
		{"payload arrives", &UDP{Send: []byte("ping"), Expect: []byte("got ping.")}, echo, ""},
		{"datagram of length zero arrives", &UDP{Expect: []byte("got .")}, echo, ""},
		{"binary reply", &UDP{Send: []byte{0, 0xff}, Expect: []byte{0, 0xff}}, echo, ""},
		{"any reply will do", &UDP{Expect: []byte{}}, constant("x"), ""},
		{"empty reply will do", &UDP{Expect: []byte{}}, constant(""), ""},
		{"wrong reply", &UDP{Expect: []byte("PONG")}, constant("ERR busy\n"), `reply does not contain "PONG": "ERR busy\n"`},
		{"empty reply instead", &UDP{Expect: []byte("PONG")}, constant(""), `reply does not contain "PONG": ""`},
		{"huge wrong reply", &UDP{Expect: []byte("x")}, constant(strings.Repeat("a", 60000)),
			`reply does not contain "x": "` + strings.Repeat("a", maxReason-len(`reply does not contain "x": "`)) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := serveUDP(t, "127.0.0.1:0", tt.reply)
			got := probe(t, check(Check{Type: TypeUDP, UDP: tt.udp}, answer), target)
			if got != tt.reason {
				t.Errorf("reason %q, want %q", got, tt.reason)
			}
		})
	}
}

// TestUDPUnreachable has the loopback interface answer with ICMP errors.
func TestUDPUnreachable(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			closed, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Skipf("no address %s here: %v", host, err)
			}
			target := addrPort(t, closed.LocalAddr())
			if err := closed.Close(); err != nil {
				t.Fatal(err)
			}
			for _, udp := range []*UDP{nil, {Send: []byte("x")}, {Expect: []byte("x")}} {
				got := probe(t, check(Check{Type: TypeUDP, UDP: udp}, answer), target)
				if got != "connection refused" {
					t.Errorf("%+v: reason %q, want connection refused", udp, got)
				}
			}
		})
	}
}

// TestUDPHearsOfUnreachableHosts reads the option back: an ICMP error about a
// host takes a router to come from.
func TestUDPHearsOfUnreachableHosts(t *testing.T) {
	tests := []struct {
		network, host string
		level, option int
	}{
		{"udp4", "127.0.0.1", unix.IPPROTO_IP, unix.IP_RECVERR},
		{"udp6", "::1", unix.IPPROTO_IPV6, unix.IPV6_RECVERR},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			dialer := net.Dialer{Control: reportICMP}
			conn, err := dialer.Dial("udp", net.JoinHostPort(tt.host, "9"))
			if err != nil {
				t.Skipf("no address %s here: %v", tt.host, err)
			}
			defer func() { _ = conn.Close() }()
			raw, err := conn.(*net.UDPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			var got int
			var optErr error
			if err := raw.Control(func(fd uintptr) { got, optErr = unix.GetsockoptInt(int(fd), tt.level, tt.option) }); err != nil {
				t.Fatal(err)
			}
			if optErr != nil || got != 1 {
				t.Errorf("option is %d (%v), want 1", got, optErr)
			}
		})
	}
}

func echo(request []byte) []byte {
	return bytes.Join([][]byte{[]byte("got "), request, []byte(".")}, nil)
}

func constant(reply string) func([]byte) []byte {
	return func([]byte) []byte { return []byte(reply) }
}

// serveUDP answers every datagram with reply's, until the test ends, and not at
// all where that is nil.
func serveUDP(t *testing.T, address string, reply func([]byte) []byte) netip.AddrPort {
	t.Helper()
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, maxReply); ; {
			n, from, err := socket.ReadFrom(b)
			if err != nil {
				return
			}
			if datagram := reply(b[:n]); datagram != nil {
				_, _ = socket.WriteTo(datagram, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	return addrPort(t, socket.LocalAddr())
}
