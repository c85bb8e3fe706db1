// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// vrrpProtocol is the IP protocol number of VRRP (RFC 9568 section 5.1.1.4).
const vrrpProtocol = 112

// Advert is a VRRP advertisement on the wire.
type Advert struct {
	At       time.Time
	Sender   MAC
	Priority uint8
}

// Adverts listens at the client to what the directors advertise.
type Adverts struct {
	capture *Capture

	mu   sync.Mutex
	list []Advert
	more chan struct{} // closed and replaced at each advert
}

// ListenAdverts begins to listen.
func (r *Rig) ListenAdverts() (*Adverts, error) {
	a := &Adverts{more: make(chan struct{})}
	var err error
	a.capture, err = NewCapture(r.Node(Client), vrrpProtocol, []MAC{r.MAC[D1], r.MAC[D2]}, a.take)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Adverts) take(f Frame) {
	header := int(f.Bytes[ethernetLen]&0xf) * 4
	vrrp := f.Bytes[min(ethernetLen+header, len(f.Bytes)):]
	if len(vrrp) < 8 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, Advert{At: f.At, Sender: f.SourceMAC(), Priority: vrrp[2]})
	close(a.more)
	a.more = make(chan struct{})
}

// WaitNext waits for the next advert of a master from sender and returns when it came.
func (a *Adverts) WaitNext(ctx context.Context, sender MAC) (time.Time, error) {
	a.mu.Lock()
	known := len(a.list)
	a.mu.Unlock()
	for {
		a.mu.Lock()
		next := slices.IndexFunc(a.list[min(known, len(a.list)):], func(v Advert) bool { return v.Sender == sender && v.Priority > 0 })
		var at time.Time
		if next >= 0 {
			at = a.list[known+next].At
		}
		more := a.more
		a.mu.Unlock()
		if next >= 0 {
			return at, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for an advert: %w", ctx.Err())
		}
	}
}

// Take returns what was heard since the last Take.
func (a *Adverts) Take() []Advert {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list
}

// Close ends the listening.
func (a *Adverts) Close() error { return a.capture.Close() }

// Jitter is by how much the times between a master's adverts deviate from the
// interval, up or down.
type Jitter struct {
	Adverts       int
	P50, P99, Max time.Duration
}

// JitterOf returns the jitter of the adverts from sender between from and to.
// The time before the first and after the last one counts where it is too long.
func JitterOf(adverts []Advert, sender MAC, interval time.Duration, from, to time.Time) Jitter {
	own := slices.DeleteFunc(slices.Clone(adverts), func(a Advert) bool { return a.Sender != sender })
	j := Jitter{Adverts: len(own)}
	var deviations []time.Duration
	last := from
	for k, a := range own {
		if d := a.At.Sub(last) - interval; k > 0 || d > 0 {
			deviations = append(deviations, d.Abs())
		}
		last = a.At
	}
	if d := to.Sub(last) - interval; d > 0 {
		deviations = append(deviations, d)
	}
	if len(deviations) > 0 {
		j.P50, j.P99, j.Max = Percentile(deviations, 50), Percentile(deviations, 99), slices.Max(deviations)
	}
	return j
}

// CountFrom returns how many adverts of a master, not a resignation, came from sender.
func CountFrom(adverts []Advert, sender MAC) int {
	n := 0
	for _, a := range adverts {
		if a.Sender == sender && a.Priority > 0 {
			n++
		}
	}
	return n
}
