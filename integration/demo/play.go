// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

const (
	topology   = "conf/lab/pair-nat.clab.yml"
	vip        = "10.0.1.100"
	webURL     = "http://10.0.1.100/"
	webServer1 = "10.0.2.21:80"
	echoAddr   = "10.0.1.100:7"
	// sample is how long traffic runs where a step only counts it.
	sample = 2 * time.Second
)

// longLived and requests run while the master dies and returns.
var (
	longLived = []string{"--tcp", echoAddr, "--connections", "3", "--tcp-interval", "50ms"}
	requests  = []string{"--http", webURL, "--http-interval", "50ms", "--udp", echoAddr, "--interval", "10ms"}
)

// play performs the steps; each must happen within its time.
func (d *demo) play(ctx context.Context) (err error) {
	d.step("The topology: client, two directors, two real servers (" + topology + ")")
	if d.pair, err = pair.Up(ctx, topology); err != nil {
		return err
	}
	defer func() {
		if down := d.pair.Down(); err == nil {
			err = down
		}
	}()
	var d1, d2 *pair.Director
	for _, step := range []func() error{
		func() error { d1, d2, err = d.startPair(ctx); return err },
		func() error { return d.spread(ctx) },
		func() error { return d.webServerDies(ctx, d1) },
		func() error { return d.masterDies(ctx, d1, d2) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) startPair(ctx context.Context) (d1, d2 *pair.Director, err error) {
	d.step("Two directors start")
	if d1, err = d.pair.StartDirector("d1", d.teller("d1")); err != nil {
		return nil, nil, err
	}
	if d2, err = d.pair.StartDirector("d2", d.teller("d2")); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, director := range []*pair.Director{d1, d2} {
		if err := director.WaitStatus(ctx, "all probes healthy", pair.AllHealthy); err != nil {
			return nil, nil, err
		}
	}
	if err := d.pair.WaitVIP(ctx, "d1", vip, true); err != nil {
		return nil, nil, err
	}
	return d1, d2, d.show(ctx, "d1", "d2")
}

func (d *demo) spread(ctx context.Context) error {
	d.step("Traffic is spread over both real servers")
	r, err := d.measure(ctx)
	if err != nil {
		return err
	}
	d.say("client", "%d HTTP requests, %d answered: %s", r.Sent, r.Answered, byServer(r))
	if r.ByServer["rs1"] == 0 || r.ByServer["rs2"] == 0 || r.Lost > 0 {
		return fmt.Errorf("traffic was not spread over both real servers without loss: %s, %d lost", byServer(r), r.Lost)
	}
	d.shown = append(d.shown, "traffic spread "+byServer(r))
	return nil
}

func (d *demo) webServerDies(ctx context.Context, d1 *pair.Director) error {
	d.step("A web server dies and comes back")
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	during, err := d.pair.StartTraffic(ctx, "client", "--http", webURL)
	if err != nil {
		return err
	}
	killed := time.Now()
	d.say("demo", "SIGKILL for the web server of rs1")
	if err := d.pair.KillAll(ctx, "rs1"); err != nil {
		return err
	}
	if err := d1.WaitStatus(ctx, "weight 0 of rs1", func(s control.Status) bool { return weightOf(s, webServer1) == 0 }); err != nil {
		return err
	}
	fall := time.Since(killed)
	r, err := during.Stop(ctx)
	if err != nil {
		return err
	}
	d.say("client", "until the weight fell, after %d ms: %d of %d requests lost", fall.Milliseconds(), r.HTTP.Lost, r.HTTP.Sent)
	after, err := d.measure(ctx)
	if err != nil {
		return err
	}
	d.say("client", "since then: %d of %d requests lost, %s", after.Lost, after.Sent, byServer(after))
	if err := d.show(ctx, "d1", "d2"); err != nil {
		return err
	}
	if after.Lost > 0 || after.ByServer["rs1"] > 0 {
		return fmt.Errorf("requests failed after the probes' fall time: %d", after.Lost)
	}
	d.say("demo", "the web server of rs1 starts again")
	if err := d.pair.StartServer("rs1"); err != nil {
		return err
	}
	if err := d1.WaitStatus(ctx, "all probes healthy", pair.AllHealthy); err != nil {
		return err
	}
	back, err := d.measure(ctx)
	if err != nil {
		return err
	}
	d.say("client", "%d of %d requests lost, %s", back.Lost, back.Sent, byServer(back))
	if back.ByServer["rs1"] == 0 {
		return fmt.Errorf("the returned web server gets no requests")
	}
	d.shown = append(d.shown, fmt.Sprintf("a dead web server left the table in %d ms and no request failed after that", fall.Milliseconds()))
	return nil
}

func (d *demo) masterDies(ctx context.Context, d1, d2 *pair.Director) error {
	d.step("The master's processes die and hang; each does the other's will")
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
	if err := d.show(ctx, "d2"); err != nil {
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
	if err := d.show(ctx, "d1", "d2"); err != nil {
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
	d1, err := d.pair.StartDirector("d1", d.teller("d1"))
	if err != nil {
		return nil, err
	}
	if err := d1.WaitStatus(ctx, "all probes healthy", pair.AllHealthy); err != nil {
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

// measure runs HTTP requests for a while.
func (d *demo) measure(ctx context.Context) (*meter.StreamReport, error) {
	r, err := d.pair.Measure(ctx, "client", sample, "--http", webURL, "--http-interval", "50ms", "--timeout", "5s")
	return r.HTTP, err
}

func byServer(s *meter.StreamReport) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.ByServer)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, s.ByServer[name]))
	}
	return strings.Join(parts, ", ")
}

// weightOf returns a real server's weight in the kernel, -1 where it has none.
func weightOf(s control.Status, address string) int {
	for _, vs := range s.VirtualServers {
		for _, rs := range vs.RealServers {
			if rs.Address == address && rs.WeightKernel != nil {
				return *rs.WeightKernel
			}
		}
	}
	return -1
}
