// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOtherNamespace subscribes in a network namespace that is not the initial one, where there is no process connector, and
// counts processes nevertheless.
func TestOtherNamespace(t *testing.T) {
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	r := newRig(t)
	results := make(chan error, 1)
	r.pace.scan = 20 * time.Millisecond
	r.Watcher.events = func(ctx context.Context) (s subscription, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // never unlocked: the thread and its namespace end with the goroutine
			if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
				s, err = subscribe(ctx)
			}
		}()
		<-done
		results <- err
		return s, err
	}
	path := ownProgram(t)
	r.Set([]Tracker{{Name: "n", Process: path, Count: 1}})
	r.start(t)
	r.settle(t, map[string]Reading{"n": {Name: "n", Detail: "0 of " + path + " running, expected 1"}})
	err := <-results
	if err == nil {
		t.Fatal("subscribed where there is no process connector")
	}
	t.Log(err)
	end := run(t, path)
	defer end()
	r.settle(t, map[string]Reading{"n": {Name: "n", Value: 1, OK: true}})
}
