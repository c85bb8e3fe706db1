// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Server answers on the control socket.
type Server struct {
	listener net.Listener
	http     http.Server
}

// Listen opens the control socket at path. A socket that a dead daemon left is
// taken over; one that a live daemon answers on is an error.
func Listen(path string, d Daemon) (*Server, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("set mode of control socket %s: %w", path, err)
	}
	s := &Server{listener: l}
	s.http = http.Server{Handler: handler(d), ReadHeaderTimeout: 5 * time.Second}
	return s, nil
}

// Run serves until ctx ends, then removes the socket. Requests under way get
// a second to finish.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve control socket %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.http.Shutdown(stop); err != nil {
		s.http.Close()
	}
	<-failed
	return nil
}

func removeStale(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("another daemon answers on control socket %s: stop it first, or give this one a director.state_dir of its own", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale control socket %s: %w", path, err)
	}
	return nil
}

func handler(d Daemon) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathStatus, func(w http.ResponseWriter, r *http.Request) {
		status, err := d.Status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// The only error is a client that went away.
		_ = json.NewEncoder(w).Encode(status)
	})
	order := func(path string, carryOut func(r *http.Request, instance string) ([]string, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			notes, err := carryOut(r, r.URL.Query().Get("instance"))
			tell(w, notes, err)
		})
	}
	order(pathReload, func(r *http.Request, _ string) ([]string, error) { return d.Reload(r.Context()) })
	order(pathStandby, func(r *http.Request, instance string) ([]string, error) { return d.Standby(r.Context(), instance) })
	order(pathResume, func(r *http.Request, instance string) ([]string, error) { return nil, d.Resume(r.Context(), instance) })
	order(pathPriority, func(r *http.Request, instance string) ([]string, error) {
		priority, err := strconv.ParseUint(r.URL.Query().Get("priority"), 10, 8)
		if err != nil {
			return nil, fmt.Errorf("priority %q: expected 1 to 254", r.URL.Query().Get("priority"))
		}
		return d.SetPriority(r.Context(), instance, uint8(priority))
	})
	return mux
}

// tell answers an order. What there is to note of one that failed comes after
// the reason.
func tell(w http.ResponseWriter, notes []string, err error) {
	switch {
	case err != nil:
		http.Error(w, strings.Join(append([]string{err.Error()}, notes...), "\n"), http.StatusUnprocessableEntity)
	case len(notes) == 0:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		// The only error is a client that went away.
		_ = json.NewEncoder(w).Encode(answer{notes})
	}
}
