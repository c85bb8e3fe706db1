// SPDX-License-Identifier: Apache-2.0

package health

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewProberNamesBadField(t *testing.T) {
	noCertificate := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noCertificate, []byte("not PEM\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	onHTTP := func(h HTTP) Check { return check(Check{Type: TypeHTTP, HTTP: &h}, time.Second) }
	onTLS := func(c TLS) Check { return check(Check{Type: TypeHTTPS, TLS: &c}, time.Second) }
	onExec := func(e *Exec) Check { return check(Check{Type: TypeExec, Exec: e}, time.Second) }
	with := func(change func(*Check)) Check {
		c := check(Check{Type: TypeTCP}, time.Second)
		change(&c)
		return c
	}
	tests := []struct {
		name   string
		check  Check
		prefix string // of the error
	}{
		{"no type", with(func(c *Check) { c.Type = "" }), `type "": expected tcp, http, https, udp or exec`},
		{"unknown type", with(func(c *Check) { c.Type = "icmp" }), `type "icmp": expected`},
		{"interval", with(func(c *Check) { c.Interval = 0 }), "interval 0s: must be above 0"},
		{"timeout", with(func(c *Check) { c.Timeout = -time.Second }), "timeout -1s: must be above 0"},
		{"rise", with(func(c *Check) { c.Rise = 0 }), "rise 0: must be at least 1"},
		{"fall", with(func(c *Check) { c.Fall = 0 }), "fall 0: must be at least 1"},
		{"request on TCP", with(func(c *Check) { c.HTTP = &HTTP{} }), `http: not for a probe of type "tcp"`},
		{"TLS on TCP", with(func(c *Check) { c.TLS = &TLS{} }), `tls: not for a probe of type "tcp"`},
		{"datagram on TCP", with(func(c *Check) { c.UDP = &UDP{} }), `udp: not for a probe of type "tcp"`},
		{"program on TCP", with(func(c *Check) { c.Exec = &Exec{} }), `exec: not for a probe of type "tcp"`},
		{"no program", onExec(nil), "exec: expected a program"},
		{"empty command", onExec(&Exec{User: "nobody"}), "command: expected a program and its arguments"},
		{"relative command", onExec(&Exec{Argv: []string{"true"}, User: "nobody"}), `command "true": expected an absolute path`},
		{"no user", onExec(&Exec{Argv: []string{"/bin/true"}}), "user: expected who runs the command"},
		{"method", onHTTP(HTTP{Method: "GET /"}), `method "GET /": not an HTTP method`},
		{"path without slash", onHTTP(HTTP{Path: "healthz"}), `path "healthz": must begin with /`},
		{"path with bad escape", onHTTP(HTTP{Path: "/%zz"}), `path "/%zz": invalid URL escape "%zz"`},
		{"path with line end", onHTTP(HTTP{Path: "/\r\nx"}), `path "/\r\nx": `},
		{"host", onHTTP(HTTP{Host: "a b"}), `host "a b": not a host name or address`},
		{"header name", onHTTP(HTTP{Headers: map[string]string{"X Y": ""}}), `headers: "X Y" is not a header name`},
		{"header value", onHTTP(HTTP{Headers: map[string]string{"X": "a\nb"}}), `headers: value "a\nb" of X has a control character`},
		{"host as header", onHTTP(HTTP{Headers: map[string]string{"host": "x"}}), "headers: host is set by host"},
		{"probe's header", onHTTP(HTTP{Headers: map[string]string{"Connection": "x"}}), "headers: Connection is the probe's own"},
		{"status", onHTTP(HTTP{ExpectStatus: []StatusRange{{200, 1000}}}), "expect_status 200-1000: expected a status"},
		{"regexp", onHTTP(HTTP{ExpectRegexp: "("}), `expect_regexp "(": error parsing regexp`},
		{"body of HEAD", onHTTP(HTTP{Method: "HEAD", ExpectBody: "ok"}), "method HEAD: its answer has no body"},
		{"no CA file", onTLS(TLS{CAFile: "/nonexistent/ca.pem"}), "ca_file: open /nonexistent/ca.pem: no such file"},
		{"CA file without certificate", onTLS(TLS{CAFile: noCertificate}), "ca_file " + noCertificate + ": no PEM certificate in it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewProber(tt.check)
			if err == nil || !strings.HasPrefix(err.Error(), tt.prefix) {
				t.Errorf("NewProber: %v, want %s…", err, tt.prefix)
			}
		})
	}
}

func TestSetNamesBadTarget(t *testing.T) {
	good := Target{ID: "a", Address: netip.MustParseAddrPort("192.0.2.1:80"), Check: check(Check{Type: TypeTCP}, time.Second)}
	noPort := good
	noPort.Address = netip.MustParseAddrPort("192.0.2.1:0")
	noAddress := good
	noAddress.Address = netip.AddrPort{}
	noType := good
	noType.Check.Type = ""
	tests := []struct {
		name    string
		targets []Target
		want    string
	}{
		{"no port", []Target{noPort}, "target a: address 192.0.2.1:0: expected an address with a port"},
		{"no address", []Target{noAddress}, "target a: address invalid AddrPort: expected an address with a port"},
		{"one ID twice", []Target{good, good}, "target a: given twice"},
		{"check", []Target{noType}, `target a: check: type "": expected tcp, http, https, udp or exec`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := NewRunner(func(Result) {}).Set(tt.targets)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Set: %v, want %s", err, tt.want)
			}
		})
	}
}
