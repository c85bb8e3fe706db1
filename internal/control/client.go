// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// ErrNoDaemon says that no daemon listens on the control socket.
var ErrNoDaemon = errors.New("no daemon answers")

// Client speaks to a daemon over its control socket.
type Client struct {
	// Note is given each line that the daemon has to say to an order that it
	// carried out; it may be nil.
	Note func(line string)

	path string
	http http.Client
}

// NewClient returns a client of the daemon that listens at path. It connects
// anew for each request.
func NewClient(path string) *Client {
	t := &http.Transport{DialContext: dialer(path), DisableKeepAlives: true}
	return &Client{path: path, http: http.Client{Transport: t}}
}

// Status asks for the daemon's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	body, err := c.do(ctx, http.MethodGet, pathStatus)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("read status from %s: %w", c.path, err)
	}
	return s, nil
}

// Reload makes the daemon read its configuration again. The error is the
// daemon's own answer when it refused; the file's warnings are notes.
func (c *Client) Reload(ctx context.Context) error {
	return c.order(ctx, pathReload, nil)
}

// Standby hands the role of an instance over, or of all for an empty name.
func (c *Client) Standby(ctx context.Context, instance string) error {
	return c.order(ctx, pathStandby, url.Values{"instance": {instance}})
}

// Resume ends Standby.
func (c *Client) Resume(ctx context.Context, instance string) error {
	return c.order(ctx, pathResume, url.Values{"instance": {instance}})
}

// SetPriority replaces the configured priority, 1-254; 0 brings it back.
func (c *Client) SetPriority(ctx context.Context, instance string, priority uint8) error {
	return c.order(ctx, pathPriority, url.Values{"instance": {instance}, "priority": {strconv.Itoa(int(priority))}})
}

func (c *Client) order(ctx context.Context, path string, query url.Values) error {
	body, err := c.do(ctx, http.MethodPost, path+"?"+query.Encode())
	if err != nil || len(body) == 0 {
		return err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("carried out, but the answer of %s cannot be read: %w", c.path, err)
	}
	for _, line := range a.Notes {
		if c.Note != nil {
			c.Note(line)
		}
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://lvs-ha"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.path, err)
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w on control socket %s: is lvs-ha running, with this state_dir?", ErrNoDaemon, c.path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("no permission to use control socket %s: run as root or as a member of its group", c.path)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("the daemon on control socket %s does not answer: it hangs, or is very busy", c.path)
	case err != nil:
		return nil, fmt.Errorf("ask daemon on control socket %s: %w", c.path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of control socket %s: %w", c.path, err)
	}
	if resp.StatusCode >= 300 {
		return nil, errors.New(strings.TrimSpace(string(body)))
	}
	return body, nil
}
