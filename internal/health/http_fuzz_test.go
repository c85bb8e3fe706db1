// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"unicode/utf8"
)

// FuzzHTTPAnswer has a server send arbitrary bytes and close the connection:
// the probe comes to an end, with a reason that fits a line or none.
func FuzzHTTPAnswer(f *testing.F) {
	for _, answer := range []string{
		"",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0 200\n\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
		"HTTP/1.1 999\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"\x16\x03\x01\x00\x00",
	} {
		f.Add([]byte(answer))
	}
	p, err := newHTTPProber(check(Check{Type: TypeHTTP, HTTP: &HTTP{
		ExpectStatus: []StatusRange{{100, 599}}, ExpectBody: "o", ExpectRegexp: "k$",
	}}, answer))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(sent), io.Discard}
		err := p.ask(t.Context(), conn, netip.MustParseAddrPort("192.0.2.1:80"))
		if err == nil {
			return
		}
		if reason := err.Error(); len(reason) > maxReason+len("…") || !utf8.ValidString(reason) {
			t.Errorf("reason of %d bytes: %q", len(reason), reason)
		}
	})
}
