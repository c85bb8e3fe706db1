// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
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

// TestFindChildThatIsUnfit: nobody is waited for in vain. The process at the
// other end is that of the test.
func TestFindChildThatIsUnfit(t *testing.T) {
	listen := func(t *testing.T) net.Listener {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "speaker.sock"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	unfit := func(t *testing.T, child Child, err error, want string) {
		t.Helper()
		if err != nil || child == nil || !strings.Contains(child.Unfit(), want) {
			t.Fatalf("%+v, %v; want one that %q", child, err, want)
		}
		child.Conn().Close()
		child.(*adopted).process.Close()
	}
	t.Run("frozen", func(t *testing.T) {
		l := listen(t) // the kernel takes the connection for a process that stands still
		child, err := FindChild(t.Context(), l.Addr().String())
		unfit(t, child, err, "shows no sign of life")
	})
	t.Run("hand-over without end", func(t *testing.T) {
		l := listen(t)
		closed := make(chan error, 1)
		go func() {
			conn, err := l.Accept()
			if err == nil {
				err = conn.Close()
			}
			closed <- err
		}()
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		child, err := adopt(conn.(*net.UnixConn), true)
		unfit(t, child, err, "has not handed over within 1m0s")
	})
}
