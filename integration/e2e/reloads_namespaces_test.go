// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/lvs-ha/lvs-ha/internal/control"
)

// reloadsDisturbNothing changes what must not move a role, first at the backup,
// then at the master.
func reloadsDisturbNothing(s *segment) {
	for _, n := range []*node{s.d1, s.d2} {
		n.configure(brisk, calm)
	}
	c := s.captureFrom(s.d1.mac)
	s.begin()
	quiet := time.Now()
	for _, reload := range []struct {
		what, keys, tables string
		priority           int // over the configured one
		interval           time.Duration
	}{
		// There is no such interface: the weight counts, and is too small to matter.
		{"a track is added", brisk + "\ntrack = [{ name = \"up\", weight = -10 }]", trackUp, -10, 300 * time.Millisecond},
		{"its weight changes", brisk + "\ntrack = [{ name = \"up\", weight = -20 }]", trackUp, -20, 300 * time.Millisecond},
		{"the track is removed", brisk, "", 0, 300 * time.Millisecond},
		{"the interval grows", `advert_interval = "450ms"`, "", 0, 450 * time.Millisecond},
		{"the interval shrinks", `advert_interval = "200ms"`, "", 0, 200 * time.Millisecond},
		{"all at once", brisk + "\ntrack = [{ name = \"up\", weight = -10 }]\npreempt_delay = \"5s\"", trackUp, -10, 300 * time.Millisecond},
	} {
		from := time.Now()
		for _, n := range []*node{s.d2, s.d1} {
			n.configure(reload.keys, reload.tables+calm)
			n.mustOrder("reload")
			n.pollInstance("web", reload.what, func(i control.Instance) bool { return int(i.Priority) == n.priority+reload.priority })
		}
		// Four, so that a timer of d2 that knows another interval would run out.
		s.poll("adverts after the reload", func() bool {
			n := 0
			for _, a := range c.adverts(s.d1, from) {
				if int(a.priority) == s.d1.priority+reload.priority && a.interval == reload.interval {
					n++
				}
			}
			return n >= 4
		})
		if got := append(s.d1.log.since(0, "web: master -> "), s.d2.log.since(0, "web: backup -> ")...); len(got) > 0 {
			s.t.Fatalf("%s: %s", reload.what, strings.Join(got, "; "))
		}
	}
	if got := s.watch.since(quiet); len(got) > 0 {
		s.t.Errorf("the VIP moved: %v", got)
	}
}

var trackUp = fmt.Sprintf(trackInterface, "up", "up0")

// trackInterface is a track, with its name and interface to fill in.
const trackInterface = `
[[track]]
name = %q
type = "interface"
interface = %q
`
