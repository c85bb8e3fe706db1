// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"testing"
	"time"
)

func TestKernelTicker(t *testing.T) {
	k, err := newKernelTicker(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	k.Reset(time.Millisecond)
	last := time.Now()
	for n := range 20 {
		select {
		case at := <-k.Chan():
			if at.Before(last) {
				t.Errorf("tick %d at %v, after one at %v", n, at, last)
			}
			last = at
		case <-time.After(10 * time.Second):
			t.Fatalf("no tick after the first %d", n)
		}
	}
	k.Stop()
}
