// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		line := &timeline{out: &out, start: time.Now()}
		after := func(ms int) string {
			return line.start.Add(time.Duration(ms) * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z")
		}
		d1, d2 := line.teller("d1"), line.teller("d2")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			line.run(ctx)
		}()

		line.step("a step")
		line.setBrief(true)
		d1(after(1) + " INFO  IPVS table: add service tcp 192.0.2.10:80 rr")
		line.setBrief(false)
		time.Sleep(30 * time.Millisecond)
		line.say("demo", "is %d", 30)
		d2(after(20) + " INFO  is 20")
		d1(after(10) + " INFO  is 10")
		d1("no time")
		line.block("d1# date", "one\ntwo\n\n")
		line.step("another step")
		time.Sleep(lag + 2*printInterval)
		const first = `
== a step
   0.010  d1      INFO  is 10
   0.020  d2      INFO  is 20
   0.030  demo    is 30
   0.030  d1      no time

d1# date
    one
    two

== another step
`
		if diff := cmp.Diff(first, out.String()); diff != "" {
			t.Errorf("printed (-want +got):\n%s", diff)
		}

		line.say("demo", "goodbye")
		stop()
		<-done
		d1(after(2000) + " WARN  the curtain has fallen")
		line.print(time.Now().Add(time.Hour))
		if diff := cmp.Diff(first+"   0.730  demo    goodbye\n", out.String()); diff != "" {
			t.Errorf("printed in the end (-want +got):\n%s", diff)
		}
	})
}
