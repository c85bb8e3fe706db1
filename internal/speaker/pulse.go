// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PulseFD is the file descriptor that a speaker's process finds the memory of
// its Pulse at.
const PulseFD = 4

// Pulse is how the two processes show each other that they live: a counter for
// each, in memory that they share. A sign of life costs no system call and
// wakes nobody.
type Pulse struct {
	mine, theirs *atomic.Uint64
	seen         uint64 // of theirs
}

// NewPulses returns both ends of one in the memory of this process.
func NewPulses() (director, speaker *Pulse) {
	counters := new([2]atomic.Uint64)
	return pulses(counters)
}

func pulses(counters *[2]atomic.Uint64) (director, speaker *Pulse) {
	return &Pulse{mine: &counters[0], theirs: &counters[1]}, &Pulse{mine: &counters[1], theirs: &counters[0]}
}

// Beat gives a sign of life.
func (p *Pulse) Beat() { p.mine.Add(1) }

// Heard reports whether the other has given one since it was last asked.
func (p *Pulse) Heard() bool {
	before := p.seen
	p.seen = p.theirs.Load()
	return p.seen != before
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
	// A page is aligned for 64-bit counters, and larger than two of them.
	director, speaker = pulses((*[2]atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(b))))
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
