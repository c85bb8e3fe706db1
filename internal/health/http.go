// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	maxHeader = 64 << 10 // bytes of an answer's header, more is an error
	maxBody   = 1 << 20  // bytes of an answer's body, the rest is not read
)

// httpProber is content with an answer of an expected status, whose body ends
// as its header announced (as far as maxBody) and holds what is expected. A
// redirect is an answer like any other.
//
// It speaks HTTP/1.1 over a connection of its own rather than through an
// http.Transport, whose dialling and TLS handshake go on after the request's
// context has ended: to a host that drops packets for about two minutes, in
// which every interval would add one more.
type httpProber struct {
	request *http.Request // Host is empty where it is the target's
	tls     *tls.Config   // nil: plain HTTP; ServerName is empty where it is the target's
	status  []StatusRange
	body    []byte         // empty: any
	pattern *regexp.Regexp // nil: none
	timeout time.Duration
}

func newHTTPProber(c Check) (*httpProber, error) {
	h := HTTP{}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	path, err := url.ParseRequestURI(orDefault(h.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", h.Path, err)
	}
	header := http.Header{"User-Agent": {"lvs-ha"}}
	for name, value := range h.Headers {
		header.Set(name, value)
	}
	p := &httpProber{
		request: &http.Request{
			Method: orDefault(h.Method, http.MethodGet),
			URL:    path,
			Host:   h.Host,
			Header: header,
			Close:  true,
		},
		status:  h.ExpectStatus,
		body:    []byte(h.ExpectBody),
		timeout: c.Timeout,
	}
	if len(p.status) == 0 {
		p.status = []StatusRange{{Low: 200, High: 299}}
	}
	if h.ExpectRegexp != "" {
		if p.pattern, err = regexp.Compile(h.ExpectRegexp); err != nil {
			return nil, fmt.Errorf("expect_regexp %q: %w", h.ExpectRegexp, err)
		}
	}
	if c.Type == TypeHTTPS {
		if p.tls, err = tlsConfig(c.TLS, h.Host); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (p *httpProber) Probe(ctx context.Context, target netip.AddrPort) error {
	conn, err := dialTCP(ctx, target)
	if err != nil {
		return explain(ctx, err, fmt.Sprintf("no answer within %s", p.timeout))
	}
	defer func() { _ = conn.Close() }()
	defer interruptAt(ctx, conn)()

	if p.tls == nil {
		return p.ask(ctx, conn, target)
	}
	secure := tls.Client(conn, withServerName(p.tls, target.Addr()))
	if err := secure.Handshake(); err != nil { // interruptAt ends it
		return explain(ctx, err, fmt.Sprintf("connected, but no TLS handshake within %s", p.timeout))
	}
	return p.ask(ctx, secure, target)
}

// ask sends the request over conn and judges the answer. It ends when ctx does
// only if conn does.
func (p *httpProber) ask(ctx context.Context, conn io.ReadWriter, target netip.AddrPort) error {
	request := p.request.WithContext(ctx)
	request.Host = orDefault(request.Host, target.String())
	if err := request.Write(conn); err != nil {
		return explain(ctx, err, fmt.Sprintf("connected, but no HTTP request taken within %s", p.timeout))
	}
	answer, err := readAnswer(conn, request)
	if err != nil {
		return explain(ctx, err, fmt.Sprintf("connected, but no HTTP answer within %s", p.timeout))
	}
	if !p.expects(answer.StatusCode) {
		return fmt.Errorf("status %d, expected %s", answer.StatusCode, joinRanges(p.status))
	}
	body, err := p.read(answer.Body)
	if err != nil {
		return explain(ctx, err, fmt.Sprintf("status %d, but the body did not end within %s", answer.StatusCode, p.timeout))
	}
	return p.judge(body)
}

// readAnswer returns the final answer to request, past any interim ones (1xx,
// RFC 9110 section 15.2) but 101, which is final. All their headers together
// have at most maxHeader bytes. The body need not be closed.
func readAnswer(conn io.Reader, request *http.Request) (*http.Response, error) {
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	r := bufio.NewReader(limited)
	for {
		answer, err := http.ReadResponse(r, request)
		switch {
		case err != nil && limited.N <= 0:
			return nil, fmt.Errorf("header longer than %d bytes", maxHeader)
		case err != nil:
			return nil, err
		case answer.StatusCode >= 200, answer.StatusCode == http.StatusSwitchingProtocols:
			limited.N = math.MaxInt64 // read bounds the body
			return answer, nil
		}
	}
}

// read returns the body where anything is expected of it, and drains it else.
func (p *httpProber) read(body io.Reader) ([]byte, error) {
	body = io.LimitReader(body, maxBody)
	if len(p.body) == 0 && p.pattern == nil {
		_, err := io.Copy(io.Discard, body)
		return nil, err
	}
	return io.ReadAll(body)
}

func (p *httpProber) judge(body []byte) error {
	switch {
	case !bytes.Contains(body, p.body):
		return errors.New(clip(fmt.Sprintf("body does not contain %q", p.body)))
	case p.pattern != nil && !p.pattern.Match(body):
		return errors.New(clip(fmt.Sprintf("body does not match %q", p.pattern)))
	}
	return nil
}

func (p *httpProber) expects(status int) bool {
	for _, r := range p.status {
		if r.Contains(status) {
			return true
		}
	}
	return false
}

func joinRanges(ranges []StatusRange) string {
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = r.String()
	}
	return strings.Join(texts, ", ")
}
