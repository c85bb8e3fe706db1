// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"encoding"
	"testing"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

func TestProtocolText(t *testing.T) {
	for p, text := range map[ipvs.Protocol]string{6: "tcp", 17: "udp", 132: "sctp"} {
		testText(t, p, new(ipvs.Protocol), text)
	}
	testNoText(t, ipvs.Protocol(89), new(ipvs.Protocol), "TCP")
}

func TestForwardText(t *testing.T) {
	for f, text := range map[ipvs.Forward]string{0: "masquerade", 2: "tunnel", 3: "direct"} {
		testText(t, f, new(ipvs.Forward), text)
	}
	testNoText(t, ipvs.Forward(1), new(ipvs.Forward), "gatewaying")
}

func testText[T interface {
	comparable
	encoding.TextMarshaler
}, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, value T, read P, text string) {
	t.Helper()
	if got, err := value.MarshalText(); err != nil || string(got) != text {
		t.Errorf("MarshalText(%v) = %q, %v; want %q", value, got, err, text)
	}
	if err := read.UnmarshalText([]byte(text)); err != nil || *read != value {
		t.Errorf("UnmarshalText(%q) = %v, %v; want %v", text, *read, err, value)
	}
}

func testNoText(t *testing.T, value encoding.TextMarshaler, read encoding.TextUnmarshaler, text string) {
	t.Helper()
	if got, err := value.MarshalText(); err == nil {
		t.Errorf("MarshalText(%v) = %q, want an error", value, got)
	}
	if err := read.UnmarshalText([]byte(text)); err == nil {
		t.Errorf("UnmarshalText(%q) succeeds, want an error", text)
	}
}
