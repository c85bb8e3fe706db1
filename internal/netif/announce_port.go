// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// station is what announcements say of an interface.
type station struct {
	index  int
	mac    net.HardwareAddr
	router bool // forwards IPv6
}

func (s station) equal(o station) bool {
	return s.index == o.index && s.router == o.router && bytes.Equal(s.mac, o.mac)
}

// ethernet reports whether the interface has an Ethernet address that is not zero, as loopback's is.
func (s station) ethernet() bool {
	return len(s.mac) == 6 && !bytes.Equal(s.mac, make([]byte, 6))
}

// look returns an interface as it is now.
func look(name string) (station, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return station{}, err
	}
	return station{index: ifi.Index, mac: ifi.HardwareAddr, router: forwards6(name)}, nil
}

// forwards6 reports whether an interface forwards IPv6, so that this node is a router there (RFC 4861 section 2.1) and
// its neighbour advertisements must say so.
func forwards6(name string) bool {
	b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/forwarding")
	return err == nil && len(bytes.TrimSpace(b)) > 0 && b[0] != '0'
}

// port sends frames on one interface.
type port interface {
	// send sends frames in order, without waiting, and returns how many the kernel took. Fewer than all come with an
	// error.
	send(frames [][]byte) (int, error)
	Close() error
}

// packetPort is a packet socket that sends batches with one system call each.
type packetPort struct {
	*packet.Conn
	raw      syscall.RawConn
	messages []unix.Mmsghdr
	vectors  []unix.Iovec
}

// openPort opens a packet socket bound to an interface.
func openPort(index int) (port, error) {
	conn, err := packet.Listen(&net.Interface{Index: index}, packet.Raw, 0, nil) // protocol 0 receives nothing
	if err != nil {
		return nil, socketError(err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	p := &packetPort{
		Conn: conn, raw: raw,
		messages: make([]unix.Mmsghdr, largestBatch), vectors: make([]unix.Iovec, largestBatch),
	}
	for i := range p.messages {
		p.messages[i].Hdr.Iov = &p.vectors[i]
		p.messages[i].Hdr.SetIovlen(1)
	}
	return p, nil
}

// socketError tells what a packet socket needs when it was refused.
func socketError(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("open packet socket: %w; give the process CAP_NET_RAW", unix.EPERM)
	}
	return fmt.Errorf("open packet socket: %w", err)
}

func (p *packetPort) send(frames [][]byte) (int, error) {
	for i, f := range frames {
		p.vectors[i].Base = &f[0]
		p.vectors[i].SetLen(len(f))
	}
	sent := 0
	var errno syscall.Errno
	err := p.raw.Control(func(fd uintptr) {
		for sent < len(frames) {
			n, _, e := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&p.messages[sent])),
				uintptr(len(frames)-sent), unix.MSG_DONTWAIT, 0, 0)
			if e != 0 && e != unix.EINTR {
				errno = e
				return
			}
			if e == 0 {
				sent += int(n)
			}
		}
	})
	runtime.KeepAlive(p)
	switch {
	case err != nil:
		return sent, err
	case errno != 0:
		return sent, os.NewSyscallError("sendmmsg", errno)
	}
	return sent, nil
}
