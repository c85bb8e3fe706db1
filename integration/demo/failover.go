// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
)

// maintenance takes the master out of service and back in.
func (d *demo) maintenance(ctx context.Context) error {
	d.step("Planned maintenance of the master: standby, and resume")
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for _, order := range []struct{ what, word, master, other string }{
		{"standby of the master", "standby", "d2", "d1"},
		{"its resume", "resume", "d1", "d2"},
	} {
		shown, err := d.during(ctx, order.what, func() error {
			d.say("demo", "the operator types `lvs-ha %s` on d1", order.word)
			if _, err := d.pair.Output(ctx, "d1", "lvs-ha", order.word); err != nil {
				return err
			}
			return d.waitMaster(ctx, order.master, order.other)
		})
		if err != nil {
			return err
		}
		d.shown = append(d.shown, shown)
		if order.word == "standby" {
			d.say("demo", "d2 does the work, d1 can be upgraded or rebooted")
			if err := d.showStatus(ctx, "d1"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *demo) masterDies(ctx context.Context, d1, d2 *pair.Director) error {
	d.step("The master's two processes, director and speaker, die and hang: each hands over for the other")
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	connections, err := d.pair.StartTraffic(ctx, "client", longLived...)
	if err != nil {
		return err
	}
	if err := d.pair.WaitReplicated(ctx, "d2", echoAddr, 3, nil); err != nil {
		return err
	}
	d.say("client", "3 long-lived TCP connections run, and d2 knows of them")
	killed, err := d.during(ctx, "SIGKILL of the director", func() error { return d.kill(ctx, d1, d2) })
	if err != nil {
		return err
	}
	if err := d.showStatus(ctx, "d2"); err != nil {
		return err
	}
	returned, err := d.during(ctx, "its return", func() error { d1, err = d.bringBack(ctx); return err })
	if err != nil {
		return err
	}
	frozen, err := d.during(ctx, "SIGSTOP of the speaker", func() error { return d.freeze(ctx, d1) })
	if err != nil {
		return err
	}
	r, err := connections.Stop(ctx)
	if err != nil {
		return err
	}
	d.say("client", "TCP: %d connections, %d broken, longest silence %s", r.TCP.Opened, r.TCP.Broken, r.TCP.LongestSilence)
	if err := d.showStatus(ctx, "d1"); err != nil {
		return err
	}
	if r.TCP.Broken+r.TCP.Stalled+r.TCP.Refused+r.TCP.SequenceErrors > 0 || r.TCP.Opened == 0 {
		return fmt.Errorf("long-lived connections: %d opened, %d broken, %d stalled, %d refused, %d sequence errors",
			r.TCP.Opened, r.TCP.Broken, r.TCP.Stalled, r.TCP.Refused, r.TCP.SequenceErrors)
	}
	d.shown = append(d.shown, killed, returned, frozen, fmt.Sprintf("%d of %d long-lived connections lived through all of it", r.TCP.Opened, r.TCP.Opened))
	return nil
}

// during runs streams of new requests while something happens, and says how
// long none was answered.
func (d *demo) during(ctx context.Context, what string, happen func() error) (shown string, err error) {
	t, err := d.pair.StartTraffic(ctx, "client", requests...)
	if err != nil {
		return "", err
	}
	d.say("client", "streams of new HTTP and UDP requests run")
	if err := happen(); err != nil {
		return "", err
	}
	r, err := t.Stop(ctx)
	if err != nil {
		return "", err
	}
	d.say("client", "HTTP: %d of %d lost, longest time without an answer %s", r.HTTP.Lost, r.HTTP.Sent, r.HTTP.LongestSilence)
	d.say("client", "UDP: %d of %d lost, longest time without an answer %s", r.UDP.Lost, r.UDP.Sent, r.UDP.LongestSilence)
	for _, stream := range []*meter.StreamReport{r.HTTP, r.UDP} {
		if stream.Answered == 0 || stream.LongestSilence > maxSilence {
			return "", fmt.Errorf("%s: %d of %d requests answered, none for %s", what, stream.Answered, stream.Sent, stream.LongestSilence)
		}
	}
	return fmt.Sprintf("%s: no answer for %s (UDP), %s (HTTP, %d of %d requests lost)",
		what, r.UDP.LongestSilence, r.HTTP.LongestSilence, r.HTTP.Lost, r.HTTP.Sent), nil
}

// maxSilence is what no step may exceed: a backup that had to find out by
// itself that the master is dead would take its master-down interval.
const maxSilence = meter.Millis(4 * time.Second)

func (d *demo) kill(ctx context.Context, d1, d2 *pair.Director) error {
	killed := time.Now()
	d.say("demo", "SIGKILL for the director's process on d1, the master")
	d1.Kill()
	if err := d.pair.WaitVIP(ctx, "d2", vip, true); err != nil {
		return err
	}
	d.say("demo", "d2 has the VIP, %d ms after the kill", time.Since(killed).Milliseconds())
	if err := d.pair.WaitVIP(ctx, "d1", vip, false); err != nil {
		return err
	}
	d.say("demo", "the speaker of d1 has handed over and removed the VIP, %d ms after the kill", time.Since(killed).Milliseconds())
	return d2.WaitLog(ctx, "sync daemon: master")
}

func (d *demo) bringBack(ctx context.Context) (*pair.Director, error) {
	d.say("demo", "lvs-ha on d1 starts again")
	d1, err := d.startDirector(ctx, "d1")
	if err != nil {
		return nil, err
	}
	return d1, d.waitMaster(ctx, "d1", "d2")
}

// waitMaster waits until one node has the VIP and the other does not.
func (d *demo) waitMaster(ctx context.Context, master, other string) error {
	if err := d.pair.WaitVIP(ctx, master, vip, true); err != nil {
		return err
	}
	return d.pair.WaitVIP(ctx, other, vip, false)
}

// freeze stops the master's speaker: the director kills it, hands over for it
// and starts another one, which takes the role back later.
func (d *demo) freeze(ctx context.Context, d1 *pair.Director) error {
	s, err := d1.Status(ctx)
	if err != nil {
		return err
	}
	frozen := time.Now()
	d.say("demo", "SIGSTOP for the speaker's process on d1, the master")
	if err := syscall.Kill(s.SpeakerPID, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop process %d: %w", s.SpeakerPID, err)
	}
	if err := d.waitMaster(ctx, "d2", "d1"); err != nil {
		return err
	}
	d.say("demo", "d2 has the VIP and d1 does not, %d ms after; a new speaker of d1 listens first, then takes the role back", time.Since(frozen).Milliseconds())
	return d.waitMaster(ctx, "d1", "d2")
}
