// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
)

func TestFindChildWhereThereIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speaker.sock")
	find := func(when string) {
		t.Helper()
		if child, err := FindChild(t.Context(), path); child != nil || err != nil {
			t.Errorf("%s: %v, %v; want nothing", when, child, err)
		}
	}
	find("no socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	find("stale socket")
}

// TestFindChildWaitsForOneThatHandsOver: it takes nobody, and then ends.
func TestFindChildWaitsForOneThatHandsOver(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "speaker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	tried := make(chan int, 1)
	go func() {
		n := 0
		defer func() { tried <- n }()
		for ; n < 3; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
		l.Close()
	}()
	if child, err := FindChild(t.Context(), l.Addr().String()); child != nil || err != nil {
		t.Errorf("%v, %v; want nothing", child, err)
	}
	if got := <-tried; got != 3 {
		t.Errorf("tried %d times, want until it has ended", got)
	}
}

func TestFindChildEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "speaker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
			cancel()
		}
	}()
	if _, err := FindChild(ctx, l.Addr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	l.Close()
	<-done
}
