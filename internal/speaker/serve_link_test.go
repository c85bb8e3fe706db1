// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// refused reports whether the other end closes the connection without a
// greeting.
func refused(conn net.Conn) bool {
	if conn == nil {
		return true
	}
	defer conn.Close()
	n, err := conn.Read(make([]byte, 1))
	return n == 0 && err != nil
}

func TestServeRefusesAnotherVersion(t *testing.T) {
	greeting := func(t *testing.T, message any) []byte {
		b, err := appendFrame(nil, message)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		name    string
		message any
		want    string
	}{
		{"newer", hello{Version: protocolVersion + 1}, "the other process speaks version 3 of the protocol, this one speaks 2"},
		{"no greeting", Query{}, "the other process did not greet"},
		{"silence", nil, "wait for the other process to greet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(&segment{}, "192.0.2.1")
				mine, theirs := socketPair(1000)
				defer mine.Close()
				if test.message != nil {
					if _, err := mine.Write(greeting(t, test.message)); err != nil {
						t.Fatal(err)
					}
				}
				s := serve(t, h, theirs)
				wait(settleTime)
				<-s.done
				wantError(t, s.err, test.want)
			})
		})
		t.Run("new director, "+test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := govern(t, Settings{Heartbeat: time.Second, Hold: 10 * time.Second}, 1000, nil)
				g.dir.Close()
				wait(time.Second)
				conn := g.a.successors.dial()
				defer conn.Close()
				if test.message != nil {
					if _, err := conn.Write(greeting(t, test.message)); err != nil {
						t.Fatal(err)
					}
				}
				wait(settleTime)
				g.wantMastership(t)
				next := g.a.direct(t, g.a.successors.dial())
				wait(10 * time.Second)
				g.wantMastership(t)
				if next.theirs.Version != protocolVersion {
					t.Errorf("greeted by %+v", next.theirs)
				}
			})
		})
	}
}

// TestGarbledMessageEndsTheLinkAndChangesNothing, whatever it looks like.
func TestGarbledMessageEndsTheLinkAndChangesNothing(t *testing.T) {
	framed := func(frame string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(frame)))) + frame
	}
	streams := map[string]string{
		"huge length": "\xff\xff\xff\xff",
		"length 0":    "\x00\x00\x00\x00",
		"VRID 0":      framed(`{"kind":"configure","body":{"Instances":[{"Name":"web","Interface":"eth0","Priority":1,"AdvertInterval":1}]}}`),
	}
	for _, test := range garbled {
		if test.command != "" && test.frame != "" {
			streams[test.name] = framed(test.frame)
		}
	}
	for name, stream := range streams {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := govern(t, Settings{Heartbeat: time.Second, Hold: 10 * time.Second}, 1000, nil)
				g.dir.queue <- []byte(stream)
				wait(time.Second)
				select {
				case <-g.dir.gone:
				default:
					t.Error("the link goes on")
				}
				next := g.a.direct(t, g.a.successors.dial())
				next.send(Query{})
				wait(time.Second)
				got := seen[Status](next)
				if len(got) != 1 || len(got[0].Instances) != 1 || got[0].Instances[0].Config.Priority != 150 {
					t.Errorf("status = %+v, want what it was", got)
				}
				g.wantMastership(t)
			})
		})
	}
}

// TestServeGivesUpADirectorThatTakesNoMessages, though it still sends.
func TestServeGivesUpADirectorThatTakesNoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := govern(t, Settings{Heartbeat: 200 * time.Millisecond}, 10, nil)
		from := time.Now()
		g.dir.deaf.Store(true)
		for range linkQueue + 200 {
			g.dir.send(Query{})
			wait(time.Millisecond)
		}
		g.wantHandedOver(t, from, 4*time.Second, 6*time.Second)
	})
}

// TestSilentNewcomersKeepNobodyWaiting: neither the speaker nor the director that
// comes after them.
func TestSilentNewcomersKeepNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := govern(t, holding, 1000, nil)
		g.dir.Close()
		wait(time.Second)
		for range 10 {
			defer g.a.successors.dial().Close()
		}
		from := time.Now()
		next := g.a.direct(t, g.a.successors.dial())
		next.send(Query{})
		synctest.Wait()
		if took := time.Since(from); took > 0 || len(seen[Status](next)) != 1 {
			t.Errorf("%d answers after %v", len(seen[Status](next)), took)
		}
		wait(settleTime) // in which the others are given up
		g.wantMastership(t)
	})
}
