// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lvs-ha/lvs-ha/integration/traffic/echo"
)

// maxBody is how much of an HTTP answer's body is read.
const maxBody = 64 << 10

// noServer is the name under which answers without a server header are counted.
const noServer = "(no " + echo.ServerHeader + " header)"

// httpSource asks for one URL, each time over a new connection.
type httpSource struct {
	url      string
	interval time.Duration
	client   *http.Client
	first    chan struct{}
	pending  sync.WaitGroup

	mu       sync.Mutex
	requests *requests
}

// newHTTPSource returns a source that is ready to run.
func newHTTPSource(c Config) *httpSource {
	dialer := net.Dialer{KeepAlive: -1}
	return &httpSource{
		url:      c.HTTP,
		interval: c.HTTPInterval,
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       c.Timeout,
		},
		first:    make(chan struct{}),
		requests: newRequests(c.HTTPInterval+c.SilenceThreshold, time.Now()),
	}
}

func (h *httpSource) answering() <-chan struct{} { return h.first }

func (h *httpSource) run(ctx context.Context) {
	pace(ctx, h.interval, h.send)

	h.mu.Lock()
	h.requests.close(time.Now())
	h.mu.Unlock()
	h.pending.Wait()
}

// send starts one request, which the client's time limit ends.
func (h *httpSource) send(now time.Time) {
	h.mu.Lock()
	seq := h.requests.request(now)
	h.mu.Unlock()
	h.pending.Go(func() {
		server, err := h.get()
		h.mu.Lock()
		defer h.mu.Unlock()
		now := time.Now()
		if err != nil {
			h.requests.failure(now, errorText(err))
			return
		}
		if h.requests.answer(now, seq, []byte(server)) {
			close(h.first)
		}
	})
}

// get makes one request and returns who answered it.
func (h *httpSource) get() (server string, err error) {
	response, err := h.client.Get(h.url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", response.StatusCode)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)); err != nil {
		return "", err
	}
	if server = response.Header.Get(echo.ServerHeader); server == "" {
		return noServer, nil
	}
	return server, nil
}

// report returns the account.
func (h *httpSource) report() *StreamReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.requests.report()
	return &r
}
