// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"encoding/binary"
	"strings"
	"testing"
)

// bzImage makes an image with a payload behind one setup sector, 16 bytes into the kernel's code.
func bzImage(payload string) []byte {
	image := make([]byte, 2*512+16)
	image[0x1f1] = 1
	copy(image[0x202:], "HdrS")
	binary.LittleEndian.PutUint32(image[0x248:], 16)
	binary.LittleEndian.PutUint32(image[0x24c:], uint32(len(payload)))
	return append(image, payload...)
}

func TestBzImagePayload(t *testing.T) {
	const xz = "\xfd7zXZ\x00 the kernel"
	tests := []struct {
		name    string
		image   []byte
		want    string
		wantErr string
	}{
		{name: "xz", image: append(bzImage(xz), "behind it"...), want: xz},
		{name: "another compression", image: bzImage("\x28\xb5\x2f\xfd..."), wantErr: "payload begins with 28b52ffd2e2e"},
		{name: "too short for a header", image: []byte("HdrS"), wantErr: "no setup header"},
		{name: "another file", image: make([]byte, 4096), wantErr: "no setup header"},
		{name: "cut off", image: bzImage(xz)[:1045], wantErr: "ends before its payload"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bzImagePayload(tt.image)
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			if string(got) != tt.want {
				t.Errorf("payload: got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzBzImagePayload(f *testing.F) {
	f.Add(bzImage("\xfd7zXZ\x00 the kernel"))
	f.Add([]byte("HdrS"))
	f.Fuzz(func(t *testing.T, image []byte) {
		if payload, err := bzImagePayload(image); err == nil && len(payload) >= len(image) {
			t.Errorf("a payload of %d bytes in an image of %d", len(payload), len(image))
		}
	})
}
