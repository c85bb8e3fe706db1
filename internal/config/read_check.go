// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	minProbeInterval = 10 * time.Millisecond
	maxProbeInterval = time.Hour
	minProbeTimeout  = time.Millisecond
	maxInARow        = 1000
)

// typedKeys are keys that only tables of some types have.
type typedKeys struct{ keys, types []string }

// probeKeys are those of a [[check]].
var probeKeys = []typedKeys{
	{[]string{"method", "path", "host", "headers", "expect_status", "expect_body", "expect_regexp"}, []string{"http", "https"}},
	{[]string{"tls_server_name", "ca_file", "skip_verify"}, []string{"https"}},
	{[]string{"send", "expect"}, []string{"udp"}},
}

// framingHeaders are the headers that depend on how the request is sent.
var framingHeaders = []string{"Connection", "Content-Length", "Trailer", "Transfer-Encoding"}

// readChecks reads the [[check]] tables and makes them known by name.
func (r *reader) readChecks(tables []*table) {
	names := unique[string]{}
	for _, t := range tables {
		c := r.check(t, names)
		r.checks[c.Name] = c
	}
}

// check reads one [[check]] table.
func (r *reader) check(t *table, names unique[string]) *Check {
	c := &Check{Name: r.name(t, names)}
	t.require("type", `what to probe with: "tcp", "http", "https" or "udp"`)
	kind := t.choice("type", "tcp", "http", "https", "udp")
	c.Type = kind.value
	if kind.ok {
		r.refuseKeys(t, kind.value, probeKeys, "checks")
	}
	c.Interval, c.Timeout, c.Rise, c.Fall = r.schedule(t)
	r.httpRequest(t, c)
	r.httpAnswer(t, c)
	r.tls(t, c)
	c.Send = r.payload(t, "send").value
	c.Expect = r.payload(t, "expect").value
	return c
}

// refuseKeys reports the keys that a table of this type does not have, and takes them out: their values do not matter.
// What such tables are called is the plural noun.
func (r *reader) refuseKeys(t *table, kind string, groups []typedKeys, noun string) {
	for _, group := range groups {
		for _, key := range group.keys {
			if _, given := t.values[key]; given && !slices.Contains(group.types, kind) {
				r.doc.errorf(t.place.field(key).key, "%s is a key of %s %s, this one has type %q",
					key, strings.Join(group.types, " and "), noun, kind)
				delete(t.values, key)
			}
		}
	}
}

// schedule reads when to probe and how many results in a row count.
func (r *reader) schedule(t *table) (interval, timeout time.Duration, rise, fall int) {
	interval = t.duration("interval", minProbeInterval, maxProbeInterval).or(2 * time.Second)
	limit := t.duration("timeout", minProbeTimeout, maxProbeInterval)
	if limit.ok && limit.value > interval {
		r.doc.errorf(limit.at, "timeout is %s, expected at most the interval of %s: one probe ends before the next begins",
			show(limit.value), show(interval))
	}
	timeout = limit.or(min(time.Second, interval))
	return interval, timeout, t.integer("rise", 1, maxInARow).or(2), t.integer("fall", 1, maxInARow).or(3)
}

// httpRequest reads what an HTTP probe asks.
func (r *reader) httpRequest(t *table, c *Check) {
	method := t.text("method")
	switch {
	case !method.ok:
	case !httpguts.ValidHeaderFieldName(method.value):
		r.doc.errorf(method.at, "method is %q, expected one such as GET or HEAD", method.value)
	case method.value != strings.ToUpper(method.value):
		r.doc.errorf(method.at, "method is %q, expected capital letters: %q", method.value, strings.ToUpper(method.value))
	}
	path := t.text("path")
	switch {
	case !path.ok:
	case strings.Contains(path.value, "://"):
		r.doc.errorf(path.at, "path is %q, expected only the part after the host: the probe goes to the real server's address", path.value)
	case !strings.HasPrefix(path.value, "/"):
		r.doc.errorf(path.at, "path is %q, expected it to begin with a slash: %q", path.value, "/"+path.value)
	default:
		if _, err := url.ParseRequestURI(path.value); err != nil || strings.ContainsAny(path.value, " #") {
			r.doc.errorf(path.at, "path is %q, expected a request target such as /healthz?full=1, without spaces and #", path.value)
		}
	}
	host := t.text("host")
	if host.ok && (!httpguts.ValidHostHeader(host.value) || strings.Contains(host.value, "/")) {
		r.doc.errorf(host.at, "host is %q, expected a host name, with a port if need be", host.value)
	}
	c.Method, c.Path, c.Host = method.or(http.MethodGet), path.or("/"), host.value
	c.Headers = r.headers(t)
}

// headers reads the headers of an HTTP probe, whose names are free.
func (r *reader) headers(t *table) map[string]string {
	f := get[map[string]any](t, "headers", `a table: { X-Probe = "lvs-ha" }`)
	if len(f.value) == 0 {
		return nil
	}
	headers := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(f.value)) {
		v := f.value[name]
		at := t.place.field("headers").field(name)
		value, ok := v.(string)
		canonical := http.CanonicalHeaderKey(name)
		_, again := headers[canonical]
		switch {
		case !ok:
			r.doc.errorf(at.value, "header %q is %s, expected a string", name, describe(v))
		case !httpguts.ValidHeaderFieldName(name):
			r.doc.errorf(at.key, "header %q, expected a name of letters, digits and -", name)
		case !httpguts.ValidHeaderFieldValue(value):
			r.doc.errorf(at.value, "header %q has a value with control characters, expected text", name)
		case canonical == "Host":
			r.doc.errorf(at.key, "header %q has a key of its own: host = %q", name, value)
		case slices.Contains(framingHeaders, canonical):
			r.doc.errorf(at.key, "header %q is set by the probe itself, expected another one", name)
		case again:
			r.doc.errorf(at.key, "header %q is given twice in different spellings", name)
		}
		headers[canonical] = value
	}
	return headers
}

// httpAnswer reads what an HTTP probe expects.
func (r *reader) httpAnswer(t *table, c *Check) {
	texts, _ := t.texts("expect_status", `"200-299"`)
	for _, text := range texts {
		status, err := parseStatusRange(text.value)
		if err != nil {
			r.doc.errorf(text.at, "bad status %q: %v", text.value, err)
		}
		c.ExpectStatus = append(c.ExpectStatus, status)
	}
	if c.ExpectStatus == nil {
		c.ExpectStatus = [][2]int{{200, 299}}
	}
	body := t.text("expect_body")
	pattern := t.text("expect_regexp")
	if _, err := regexp.Compile(pattern.value); err != nil {
		r.doc.errorf(pattern.at, "expect_regexp %q is not a regular expression: %v", pattern.value, err)
	}
	if c.Method == http.MethodHead && (body.ok || pattern.ok) {
		r.doc.errorf(max(body.at, pattern.at), "an answer to HEAD has no body to expect anything of: use GET")
	}
	c.ExpectBody, c.ExpectRegexp = body.value, pattern.value
}

// parseStatusRange reads "204" or "200-299".
func parseStatusRange(s string) (status [2]int, err error) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	for i, text := range []string{low, high} {
		n := 0
		if _, err := fmt.Sscanf(text, "%3d", &n); err != nil || fmt.Sprint(n) != text || n < 100 || n > 599 {
			return status, fmt.Errorf(`expected a code from 100 to 599 or a range of them, such as "204" or "200-299"`)
		}
		status[i] = n
	}
	if status[0] > status[1] {
		return status, fmt.Errorf("expected the lower code first: \"%d-%d\"", status[1], status[0])
	}
	return status, nil
}

// tls reads whom an HTTPS probe trusts.
func (r *reader) tls(t *table, c *Check) {
	c.TLSServerName = t.text("tls_server_name").value
	skip := t.boolean("skip_verify")
	c.SkipVerify = skip.value
	file := t.text("ca_file")
	if !file.ok {
		return
	}
	c.CAFile = r.file(file.value)
	if c.SkipVerify {
		r.doc.errorf(file.at, "ca_file has no use beside skip_verify = true: expected one of them")
	}
	if info, err := os.Stat(c.CAFile); err == nil && !info.Mode().IsRegular() {
		r.doc.errorf(file.at, "ca_file %s is not a regular file, expected one of PEM blocks", c.CAFile)
		return
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		r.doc.errorf(file.at, "cannot read ca_file: %v", err)
	} else if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		r.doc.errorf(file.at, "ca_file %s holds no certificate, expected PEM blocks of type CERTIFICATE", c.CAFile)
	}
}
