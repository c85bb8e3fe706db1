// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the daemon from outside, in the lab's topologies on real
// IPVS.
package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/pair"
)

const (
	topologyNAT = "../../conf/lab/pair-nat.clab.yml"
	topologyDR  = "../../conf/lab/pair-dr.clab.yml"

	vip4    = "10.0.1.100"
	vip6    = "fd00:1::100"
	gateway = "10.0.2.1"
	web     = "http://10.0.1.100/"
	web6    = "http://[fd00:1::100]/"
	echo    = "10.0.1.100:7"

	// patience bounds every wait; nothing is slower than that unless it fails.
	patience = 60 * time.Second
)

func requireLayer(t *testing.T, layer, target string) {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != layer {
		t.Skipf("%s layer: run `make %s`", layer, target)
	}
}

// running is a pair with both directors up, d1 master, all probes healthy.
type running struct {
	*pair.Pair
	t      *testing.T
	ctx    context.Context
	d1, d2 *pair.Director
}

func up(t *testing.T, topology string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	t.Cleanup(cancel)
	p, err := pair.Up(ctx, topology)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Down(); err != nil {
			t.Error(err)
		}
	})
	r := &running{Pair: p, t: t, ctx: ctx}
	r.d1, r.d2 = r.start("d1"), r.start("d2")
	r.waitVIP("d1", vip4, true)
	r.waitHealthy(r.d1, r.d2)
	return r
}

func (r *running) start(node string) *pair.Director {
	r.t.Helper()
	d, err := r.StartDirector(node, nil)
	r.check(err)
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("log of %s:\n%s", node, d.Log())
		}
	})
	return d
}

func (r *running) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) waitVIP(node, address string, want bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	r.check(r.WaitVIP(ctx, node, address, want))
}

func (r *running) waitHealthy(directors ...*pair.Director) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	for _, d := range directors {
		r.check(d.WaitStatus(ctx, "all probes healthy", pair.AllHealthy))
	}
}

func (r *running) waitLog(d *pair.Director, text string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	r.check(d.WaitLog(ctx, text))
}

func (r *running) output(node, name string, args ...string) string {
	r.t.Helper()
	out, err := r.Output(r.ctx, node, name, args...)
	r.check(err)
	return out
}

// wait waits until the output of a command in a node satisfies holds.
func (r *running) wait(what string, holds func(output string) bool, node, name string, args ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	last := ""
	err := pair.Wait(ctx, what, func() (bool, error) {
		out, err := r.Output(ctx, node, name, args...)
		last = out
		return err == nil && holds(out), nil
	})
	if err != nil {
		r.t.Fatalf("%v; last output of %s on %s:\n%s", err, name, node, last)
	}
}

func (r *running) traffic(streams ...string) *pair.Traffic {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	t, err := r.StartTraffic(ctx, "client", streams...)
	r.check(err)
	return t
}

// bestOf3 calls try up to three times until it is content; it is for limits of
// time on a machine that others use too.
func bestOf3(t *testing.T, what string, try func(attempt int) (problem string)) {
	t.Helper()
	var problems []string
	for attempt := range 3 {
		problem := try(attempt)
		if problem == "" {
			return
		}
		t.Logf("%s, try %d: %s", what, attempt+1, problem)
		problems = append(problems, problem)
	}
	t.Errorf("%s: none of three tries: %s", what, strings.Join(problems, "; "))
}
