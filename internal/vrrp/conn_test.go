// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"strings"
	"testing"
)

func TestListenNamesTheInterface(t *testing.T) {
	for _, f := range []Family{IPv4, IPv6} {
		_, err := Listen("no-such-if0", f)
		if err == nil {
			t.Fatalf("%s: no error for an interface that does not exist", f)
		}
		for _, word := range []string{"no-such-if0", f.String()} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("error %q does not say %q", err, word)
			}
		}
	}
}

func TestReadPacketNeedsRoom(t *testing.T) {
	var c Conn
	if _, err := c.ReadPacket(make([]byte, ReadBufferSize-1)); err == nil {
		t.Error("no error for a buffer that cannot hold the longest message")
	}
}
