// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

func seed(f *testing.F, kinds map[string]*rapid.Generator[any]) {
	for _, test := range garbled {
		f.Add([]byte(test.frame))
	}
	small := full(100)
	small.Auth = authOf(vrrp.Permissive, 1, vrrp.Key{ID: 1, Secret: secret('a')})
	small.Unicast = unicast(small, "192.0.2.1", "192.0.2.2").Unicast
	for kind, messages := range kinds {
		message := messages.Example(1)
		switch kind { // whose examples are large
		case "configure":
			message = Configure{Instances: []Instance{small}, Settings: Settings{Heartbeat: time.Second}}
		case "status":
			message = Status{Instances: []InstanceStatus{{Config: small, State: vrrp.Master, Priority: 100}}}
		}
		frame := frameOf(f, message)
		f.Add(frame)
		f.Add(frame[:len(frame)/2])
	}
}

// fuzzDecode: what is decoded can be sent, and is decoded again to the same.
func fuzzDecode[M any](t *testing.T, frame []byte, decode func([]byte) (M, error)) {
	message, err := decode(frame)
	if err != nil {
		return
	}
	sent := frameOf(t, message)
	again, err := decode(sent)
	if err != nil {
		t.Fatal(err)
	}
	if got := frameOf(t, again); !bytes.Equal(got, sent) {
		t.Errorf("sent %s, decoded and sent again %s", sent, got)
	}
}

func FuzzDecodeCommand(f *testing.F) {
	seed(f, commandKinds)
	f.Fuzz(func(t *testing.T, frame []byte) { fuzzDecode(t, frame, decodeCommand) })
}

func FuzzDecodeEvent(f *testing.F) {
	seed(f, eventKinds)
	f.Fuzz(func(t *testing.T, frame []byte) { fuzzDecode(t, frame, decodeEvent) })
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0})
	f.Add([]byte{0, 0, 0, 0, 'x'})
	f.Add([]byte{0, 0, 0, 9, 'x'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'x'})
	f.Add(append([]byte{0, 0, 0, 3}, "abcd"...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		frame, err := readFrame(bytes.NewReader(stream))
		if err == nil && !bytes.Equal(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), stream[:4]) {
			t.Errorf("%d bytes of the frame % x", len(frame), stream)
		}
	})
}
