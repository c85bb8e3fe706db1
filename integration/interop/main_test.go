// SPDX-License-Identifier: Apache-2.0

// Package interop holds lvs-ha against other VRRP routers: keepalived and FRR
// as Debian packages them, and lvs-ha itself. Every test runs on a link of two
// network namespaces.
package interop

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// program is the lvs-ha that is tested.
const program = "../../build/lvs-ha"

// patience bounds every wait; nothing is slower than that unless it fails.
const patience = 20 * time.Second

// requireNamespaces skips a test outside its layer, and installs the packages
// that it needs.
func requireNamespaces(t *testing.T, packages ...string) {
	t.Helper()
	if os.Getenv("LVSHA_LAYER") != "namespaces" {
		t.Skip("namespaces layer: run `make test-namespaces`")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := deb.Install(ctx, t.Output(), packages...); err != nil {
		t.Fatal(err)
	}
}

// atOnce is how many tests run at the same time. Most of their time they wait.
const atOnce = 16

// eachOf runs play as a subtest for each name, several at once.
func eachOf(t *testing.T, names []string, play func(t *testing.T, i int)) {
	t.Helper()
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			t.Run(name, func(t *testing.T) { play(t, i) })
		})
	}
	all.Wait()
}
