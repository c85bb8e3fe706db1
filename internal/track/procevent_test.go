// SPDX-License-Identifier: Apache-2.0

package track

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// message is a process event as the kernel sends it.
func message(ack, what uint32, data ...uint32) []byte {
	const head = unix.SizeofNlMsghdr + sizeConnector + sizeEvent
	b := make([]byte, 0, head+24)
	for _, u32 := range []uint32{
		head + 24, unix.NLMSG_DONE, 0xfffe, 0,
		cnIndexProc, cnValueProc, 0xfffe, ack, sizeEvent + 24,
		what, 1, 0x12345678, 0x9,
	} {
		b = binary.NativeEndian.AppendUint32(b, u32)
	}
	for n := range 6 {
		var u32 uint32
		if n < len(data) {
			u32 = data[n]
		}
		b = binary.NativeEndian.AppendUint32(b, u32)
	}
	return b
}

func TestParseProcEvents(t *testing.T) {
	foreign := message(1, eventExec, 7, 7)
	foreign[unix.SizeofNlMsghdr] = 9 // another connector
	cut := message(1, eventExec, 7, 7)
	tests := []struct {
		name     string
		datagram []byte
		want     []procEvent
	}{
		{"success", message(5, eventNone, 0), []procEvent{{kind: answered, ack: 5}}},
		{"refusal", message(5, eventNone, uint32(syscall.EPERM)), []procEvent{{kind: answered, ack: 5, err: syscall.EPERM}}},
		{"process forked", message(1, eventFork, 11, 10, 20, 20), []procEvent{{kind: changed, pid: 20}}},
		{"thread started", message(1, eventFork, 11, 10, 12, 10), nil},
		{"exec", message(1, eventExec, 20, 20), []procEvent{{kind: changed, pid: 20}}},
		{"name", message(1, eventComm, 20, 20, 'x'), []procEvent{{kind: changed, pid: 20}}},
		{"name of a thread", message(1, eventComm, 21, 20, 'x'), nil},
		{"exit", message(1, eventExit, 20, 20, 0, 17), []procEvent{{kind: ended, pid: 20}}},
		{"exit of a thread", message(1, eventExit, 21, 20), nil},
		{"user", message(1, 4, 20, 20), nil},
		{"another connector", foreign, nil},
		{"two in one", append(message(1, eventExec, 20, 20), message(1, eventExit, 21, 21)...),
			[]procEvent{{kind: changed, pid: 20}, {kind: ended, pid: 21}}},
		{"empty", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseProcEvents(tt.datagram)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(procEvent{})); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := parseProcEvents(cut[:len(cut)-1]); err == nil {
		t.Error("a message that was cut is no error")
	}
}

// TestProcEventRoundTrip has each kind of event read back.
func TestProcEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pid := rapid.Uint32Range(1, 1<<22)
		want := procEvent{kind: rapid.SampledFrom([]procEventKind{answered, changed, ended}).Draw(t, "kind")}
		var b []byte
		switch want.kind {
		case answered:
			want.ack, want.err = rapid.Uint32().Draw(t, "ack"), syscall.Errno(rapid.Uint32Range(0, 4095).Draw(t, "error"))
			b = message(want.ack, eventNone, uint32(want.err))
		case changed:
			p, parent := pid.Draw(t, "process"), pid.Draw(t, "parent")
			want.pid = int(p)
			b = rapid.SampledFrom([][]byte{
				message(0, eventFork, parent, parent, p, p),
				message(0, eventExec, p, p),
				message(0, eventComm, p, p),
			}).Draw(t, "message")
		case ended:
			p := pid.Draw(t, "process")
			want.pid = int(p)
			b = message(0, eventExit, p, p)
		}
		got, err := parseProcEvents(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]procEvent{want}, got, cmp.AllowUnexported(procEvent{})); diff != "" {
			t.Fatalf("event (-want +got):\n%s", diff)
		}
	})
}

func TestRequest(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes below are of a little-endian machine")
	}
	want := []byte{
		40, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
		1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, // cn_msg
		1, 0, 0, 0,
	}
	if got := request(mcastListen, 7); !bytes.Equal(want, got) {
		t.Errorf("request (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func FuzzParseProcEvents(f *testing.F) {
	f.Add([]byte{})
	f.Add(request(mcastListen, 1))
	f.Add(message(1, eventNone, 1))
	f.Add(message(1, eventFork, 1, 2, 3, 3))
	f.Add(append(message(1, eventExec, 1, 1), message(1, eventExit, 1, 1)...))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		events, err := parseProcEvents(datagram)
		if err != nil && events != nil {
			t.Errorf("events %v with error %v", events, err)
		}
	})
}
