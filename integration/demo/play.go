// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
	"github.com/lvs-ha/lvs-ha/integration/traffic/meter"
	"github.com/lvs-ha/lvs-ha/internal/control"
)

const (
	topology   = "conf/lab/pair-nat.clab.yml"
	configFile = "/etc/lvs-ha/lvs-ha.toml"
	vip        = "10.0.1.100"
	webURL     = "http://10.0.1.100/"
	webServer1 = "10.0.2.21:80"
	webServer2 = "10.0.2.22:80"
	echoAddr   = "10.0.1.100:7"
	// sample is how long traffic runs where a step only counts it.
	sample = 2 * time.Second
)

// longLived and requests run while the master dies and returns.
var (
	longLived = []string{"--tcp", echoAddr, "--connections", "3", "--tcp-interval", "50ms"}
	requests  = []string{"--http", webURL, "--http-interval", "50ms", "--udp", echoAddr, "--interval", "10ms"}
)

// demo is one performance.
type demo struct {
	*timeline
	// curtain ends the timeline: what is said after it is not heard.
	curtain func()
	pair    *pair.Pair
	shown   []string // what each step showed, for the verdict
}

func newDemo(start time.Time) *demo {
	d := &demo{timeline: &timeline{out: os.Stdout, start: start}}
	ctx, stop := context.WithCancel(context.Background())
	var printing sync.WaitGroup
	printing.Go(func() { d.run(ctx) })
	d.curtain = func() {
		stop()
		printing.Wait()
	}
	return d
}

// play performs the steps; each must happen within its time.
func (d *demo) play(ctx context.Context) (err error) {
	defer d.curtain()
	d.step("The topology: client, two directors, two real servers (" + topology + ")")
	if d.pair, err = pair.Up(ctx, topology); err != nil {
		return err
	}
	defer func() {
		d.curtain() // the rest is killed and removed
		if down := d.pair.Down(); err == nil {
			err = down
		}
	}()
	var d1, d2 *pair.Director
	for _, step := range []func() error{
		func() error { d1, d2, err = d.startPair(ctx); return err },
		func() error { return d.spread(ctx) },
		func() error { return d.webServerDies(ctx, d1) },
		func() error { return d.maintenance(ctx) },
		func() error { return d.masterDies(ctx, d1, d2) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
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
	d.say("demo", "for comparison: how long is there no answer when nothing happens? Where the lab's machine is emulated, it stands still now and then")
	quiet, err := d.during(ctx, "nothing happens", func() error {
		select {
		case <-time.After(sample):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	d.shown = append(d.shown, quiet)
	return nil
}

func (d *demo) webServerDies(ctx context.Context, d1 *pair.Director) error {
	d.step("A web server dies and comes back: probes find out, and set its weight")
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
	if err := d.show(ctx, "d1", "ipvsadm", "-Ln"); err != nil {
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
	d.shown = append(d.shown, fmt.Sprintf("a dead web server had weight 0 after %d ms, and no request failed after that", fall.Milliseconds()))
	return nil
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
