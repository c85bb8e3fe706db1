// SPDX-License-Identifier: Apache-2.0

package health

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Type is the kind of question a probe asks, in the configuration's words.
type Type string

// The probe types.
const (
	TypeTCP   Type = "tcp"   // a connection is accepted
	TypeHTTP  Type = "http"  // a request is answered as expected
	TypeHTTPS Type = "https" // the same over TLS
	TypeUDP   Type = "udp"   // a datagram is answered, or at least not refused
	TypeExec  Type = "exec"  // a program exits with status 0
)

// Check describes a probe and how its results are judged. It is plain data:
// two checks are the same exactly if reflect.DeepEqual says so.
type Check struct {
	Type     Type
	Interval time.Duration // from one probe's start to the next one's, above 0
	Timeout  time.Duration // bound on one probe, above 0
	Rise     int           // consecutive successes that make a failed target healthy, at least 1
	Fall     int           // consecutive failures that make a healthy target failed, at least 1

	HTTP *HTTP // for TypeHTTP and TypeHTTPS; nil: GET / and any 2xx status
	UDP  *UDP  // for TypeUDP; nil: an empty datagram, no reply needed
	TLS  *TLS  // for TypeHTTPS; nil: verified against the system's authorities
	Exec *Exec // for TypeExec, which needs it
}

// HTTP is the request of an HTTP or HTTPS probe, and what its answer must be.
type HTTP struct {
	Method  string            // default GET
	Path    string            // with the query, if any; default /
	Host    string            // the Host header; default the target's address and port
	Headers map[string]string // further request headers

	ExpectStatus []StatusRange // any of them will do; default 200-299
	ExpectBody   string        // substring of the body; empty: not looked at
	ExpectRegexp string        // RE2 pattern found in the body; empty: not looked at
}

// TLS is how an HTTPS probe verifies its server.
type TLS struct {
	ServerName string // default: the Host header's host, else the target's address
	CAFile     string // PEM file of the only trusted authorities; empty: the system's
	SkipVerify bool   // accept any certificate
}

// UDP is the datagram of a UDP probe, and its expected reply.
type UDP struct {
	Send []byte // payload; empty: a datagram of length zero

	// Expect must occur in the reply's first 2048 bytes; empty but not nil:
	// any reply will do.
	//
	// Nil: no reply is needed. Silence until the timeout is health then, and the
	// only failure an ICMP error (port, host or network unreachable,
	// prohibited). A host that is switched off is found out by our own kernel's
	// address resolution, which takes about 3 s: with a shorter timeout only an
	// expected reply can tell.
	Expect []byte
}

func (c Check) validate() error {
	switch {
	case c.Interval <= 0:
		return fmt.Errorf("interval %s: must be above 0", c.Interval)
	case c.Timeout <= 0:
		return fmt.Errorf("timeout %s: must be above 0", c.Timeout)
	case c.Rise < 1:
		return fmt.Errorf("rise %d: must be at least 1", c.Rise)
	case c.Fall < 1:
		return fmt.Errorf("fall %d: must be at least 1", c.Fall)
	case c.HTTP != nil && c.Type != TypeHTTP && c.Type != TypeHTTPS:
		return fmt.Errorf("http: not for a probe of type %q", c.Type)
	case c.TLS != nil && c.Type != TypeHTTPS:
		return fmt.Errorf("tls: not for a probe of type %q", c.Type)
	case c.UDP != nil && c.Type != TypeUDP:
		return fmt.Errorf("udp: not for a probe of type %q", c.Type)
	case c.Exec != nil && c.Type != TypeExec:
		return fmt.Errorf("exec: not for a probe of type %q", c.Type)
	case c.Exec == nil && c.Type == TypeExec:
		return errors.New("exec: expected a program")
	}
	if c.Exec != nil {
		return c.Exec.validate()
	}
	if c.HTTP != nil {
		return c.HTTP.validate()
	}
	return nil
}

func (h HTTP) validate() error {
	if h.Method != "" && !httpguts.ValidHeaderFieldName(h.Method) { // both are RFC 9110 tokens
		return fmt.Errorf("method %q: not an HTTP method", h.Method)
	}
	if h.Path != "" {
		if h.Path[0] != '/' {
			return fmt.Errorf("path %q: must begin with /", h.Path)
		}
		if _, err := url.ParseRequestURI(h.Path); err != nil {
			return fmt.Errorf("path %q: %w", h.Path, unwrapURLError(err))
		}
	}
	if !httpguts.ValidHostHeader(h.Host) {
		return fmt.Errorf("host %q: not a host name or address", h.Host)
	}
	for name, value := range h.Headers {
		switch http.CanonicalHeaderKey(name) {
		case "Host":
			return fmt.Errorf("headers: %s is set by host", name)
		case "Connection", "Content-Length", "Transfer-Encoding", "Trailer":
			return fmt.Errorf("headers: %s is the probe's own", name)
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("headers: %q is not a header name", name)
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("headers: value %q of %s has a control character", value, name)
		}
	}
	for _, r := range h.ExpectStatus {
		if err := r.validate(); err != nil {
			return fmt.Errorf("expect_status %s: %w", r, err)
		}
	}
	if _, err := regexp.Compile(h.ExpectRegexp); err != nil {
		return fmt.Errorf("expect_regexp %q: %w", h.ExpectRegexp, err)
	}
	if h.Method == http.MethodHead && (h.ExpectBody != "" || h.ExpectRegexp != "") {
		return errors.New("method HEAD: its answer has no body to expect anything of")
	}
	return nil
}

// unwrapURLError drops the verb and the address that url.Error repeats.
func unwrapURLError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
