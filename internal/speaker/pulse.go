// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PulseFD is the file descriptor that a speaker's process finds the memory of
// its Pulse at.
const PulseFD = 4

// Pulse is how the two processes show each other that they live: each writes
// the time of its last sign of life into memory that they share. That wakes
// nobody.
type Pulse struct {
	clock        func() time.Duration // the same in both processes, never zero
	mine, theirs *atomic.Int64        // what it said, in nanoseconds
	seen         int64                // of theirs
}

func newPulses(signs *[2]atomic.Int64, clock func() time.Duration) (director, speaker *Pulse) {
	return &Pulse{clock: clock, mine: &signs[0], theirs: &signs[1]}, &Pulse{clock: clock, mine: &signs[1], theirs: &signs[0]}
}

// Beat gives a sign of life.
func (p *Pulse) Beat() { p.mine.Store(int64(p.clock())) }

// Heard reports whether the other has given one since it was last asked, and
// how long ago the last one was.
func (p *Pulse) Heard() (ago time.Duration, heard bool) {
	before := p.seen
	p.seen = p.theirs.Load()
	return p.clock() - time.Duration(p.seen), p.seen != before
}

// sinceBoot reads the clock that all processes of this machine share
// (CLOCK_MONOTONIC of clock_gettime(2)).
func sinceBoot() time.Duration {
	now, _ := readClock(unix.CLOCK_MONOTONIC) // it fails for unknown clocks only
	return now
}

const pulseSize = 4096

// newPulseFile makes the memory that two processes share.
func newPulseFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("lvs-ha-pulse", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make memory for the heartbeat: %w", err)
	}
	f := os.NewFile(uintptr(fd), "pulse")
	if err := f.Truncate(pulseSize); err != nil {
		f.Close()
		return nil, fmt.Errorf("make memory for the heartbeat: %w", err)
	}
	return f, nil
}

// MapPulse returns both ends of the Pulse in a file that newPulseFile made. The
// memory stays mapped until the process ends.
func MapPulse(f *os.File) (director, speaker *Pulse, err error) {
	b, err := unix.Mmap(int(f.Fd()), 0, pulseSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map memory of the heartbeat: %w", err)
	}
	// A page is aligned for 64-bit numbers, and larger than two of them.
	director, speaker = newPulses((*[2]atomic.Int64)(unsafe.Pointer(unsafe.SliceData(b))), sinceBoot)
	return director, speaker, nil
}

// pulseOf returns the director's end of the Pulse of another process.
func pulseOf(pid int) (*Pulse, error) {
	f, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/fd/"+strconv.Itoa(PulseFD), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open memory of the heartbeat: %w", err)
	}
	defer f.Close()
	director, _, err := MapPulse(f)
	return director, err
}
