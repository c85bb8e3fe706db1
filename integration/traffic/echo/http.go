// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// headerTimeout is how long a client may take to send its request's header.
const headerTimeout = 10 * time.Second

// serveHTTP answers HTTP requests until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, name string) error {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(ServerHeader, name)
			_, _ = io.WriteString(w, name+"\n")
		}),
		ReadHeaderTimeout: headerTimeout,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	}
	return nil
}
