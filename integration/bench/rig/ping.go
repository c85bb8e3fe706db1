// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Answer is an echo reply.
type Answer struct {
	At     time.Time
	Sender MAC
	VIP    netip.Addr
}

// Pinger sends ICMP echo requests from the client to VIPs, one to each in every
// interval, whether or not they are answered, and takes the replies off the
// wire: the kernel answers while it has the address. It pings the stranger as
// well, whose silences tell when the machine was starved.
type Pinger struct {
	vips     []netip.Addr
	stranger netip.Addr
	interval time.Duration
	fd       int
	capture  *Capture
	ending   atomic.Bool
	sending  sync.WaitGroup
	beat     chan struct{} // one after the last pulse that WaitUntil looked at

	mu      sync.Mutex
	pulse   []time.Time // answers of the stranger
	answers []Answer
}

const (
	icmpEchoReply   = 0
	icmpEchoRequest = 8
	icmpID          = 0x4c48
	icmpFilter      = 1 // ICMP_FILTER (linux/icmp.h)
)

// Ping starts a Pinger.
func (r *Rig) Ping(vips []string, interval time.Duration) (*Pinger, error) {
	p := &Pinger{interval: interval, stranger: netip.MustParseAddr(strangerIP), beat: make(chan struct{}, 1)}
	for _, v := range vips {
		a, err := netip.ParseAddr(v)
		if err != nil {
			return nil, fmt.Errorf("ping: %w", err)
		}
		p.vips = append(p.vips, a)
	}
	client := r.Node(Client)
	err := client.Do(func() (err error) {
		p.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
		if err != nil {
			return err
		}
		return unix.SetsockoptInt(p.fd, unix.SOL_RAW, icmpFilter, -1) // the capture receives
	})
	if err != nil {
		return nil, fmt.Errorf("open ICMP socket: %w", err)
	}
	p.capture, err = NewCapture(client, unix.IPPROTO_ICMP, []MAC{r.MAC[D1], r.MAC[D2], r.MAC[Stranger]}, p.take)
	if err != nil {
		return nil, err
	}
	p.sending.Go(p.send)
	return p, nil
}

func (p *Pinger) send() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A meter that waits for the CPU measures itself. Where that is refused,
	// the correction for own pauses has more to do.
	schedule(unix.SCHED_RR, 1)
	defer schedule(unix.SCHED_NORMAL, 0)
	targets := append(slices.Clone(p.vips), p.stranger)
	message := make([]byte, 16)
	message[0] = icmpEchoRequest
	binary.BigEndian.PutUint16(message[4:], icmpID)
	var next unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &next)
	for n := uint16(0); !p.ending.Load(); n++ {
		binary.BigEndian.PutUint16(message[6:], n)
		binary.BigEndian.PutUint16(message[2:], 0)
		binary.BigEndian.PutUint16(message[2:], Checksum(message))
		for _, target := range targets {
			// What cannot be sent is a probe that was lost.
			_ = unix.Sendto(p.fd, message, unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: target.As4()})
		}
		next = p.following(next)
		for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &next, nil) == unix.EINTR {
		}
	}
}

// schedule sets the calling thread's policy (sched(7)) as far as that is permitted.
func schedule(policy, priority uint32) {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority}, 0)
}

// following returns when the next round is due: the rate is kept, but what a
// long pause left out is not made up for.
func (p *Pinger) following(due unix.Timespec) unix.Timespec {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return unix.NsecToTimespec(max(due.Nano()+int64(p.interval), now.Nano()))
}

func (p *Pinger) take(f Frame) {
	icmp := f.Bytes[ethernetLen+20:]
	if len(icmp) < 16 || icmp[0] != icmpEchoReply || binary.BigEndian.Uint16(icmp[4:]) != icmpID {
		return
	}
	vip := netip.AddrFrom4([4]byte(f.Bytes[offSourceIP:]))
	p.mu.Lock()
	defer p.mu.Unlock()
	if vip == p.stranger {
		p.pulse = append(p.pulse, f.At)
		select {
		case p.beat <- struct{}{}:
		default: // there is one
		}
		return
	}
	p.answers = append(p.answers, Answer{f.At, f.SourceMAC(), vip})
}

// WaitUntil waits until everything that was answered before a time is in the
// account. One goroutine waits at a time.
func (p *Pinger) WaitUntil(ctx context.Context, at time.Time) error {
	for {
		p.mu.Lock()
		complete := len(p.pulse) > 0 && p.pulse[len(p.pulse)-1].After(at)
		p.mu.Unlock()
		if complete {
			return nil
		}
		select {
		case <-p.beat:
		case <-ctx.Done():
			return fmt.Errorf("wait for answers of the stranger: %w", ctx.Err())
		}
	}
}

// Forget drops the account so far.
func (p *Pinger) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulse, p.answers = nil, nil
}

// Answers returns the replies so far, in the order of time.
func (p *Pinger) Answers() []Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.answers)
}

// LongestSilence returns the longest time between from and to in which no VIP
// answered.
func (p *Pinger) LongestSilence(from, to time.Time) Silence {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make([]time.Time, len(p.answers))
	for i, a := range p.answers {
		answers[i] = a.At
	}
	return LongestSilence(p.pulse, answers, p.interval, from, to)
}

// WorstSilence returns the longest time between from and to in which one of the
// VIPs did not answer, without what a starved machine adds.
func (p *Pinger) WorstSilence(from, to time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make(map[netip.Addr][]time.Time)
	for _, a := range p.answers {
		answers[a.VIP] = append(answers[a.VIP], a.At)
	}
	var worst time.Duration
	for _, vip := range p.vips {
		worst = max(worst, LongestSilence(p.pulse, answers[vip], p.interval, from, to).Length)
	}
	return worst
}

// Close ends the pinging.
func (p *Pinger) Close() error {
	p.ending.Store(true)
	p.sending.Wait()
	err := p.capture.Close()
	if closed := unix.Close(p.fd); err == nil {
		err = closed
	}
	return err
}

// Checksum is the Internet checksum (RFC 1071) of an even number of octets.
func Checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
