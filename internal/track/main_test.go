// SPDX-License-Identifier: Apache-2.0

package track

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	enough = 30 * time.Second // for what should come soon
	never  = time.Hour        // for what a test must not depend on
)

// rig is a watcher whose readings a test takes one by one.
type rig struct {
	*Watcher
	readings chan Reading
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{readings: make(chan Reading, 1000)}
	r.Watcher = New(func(now Reading) { r.readings <- now })
	return r
}

// start runs the watcher until the test ends.
func (r *rig) start(t *testing.T) {
	t.Helper()
	untilTheEnd(t, r.Run)
}

func untilTheEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// expect takes the next readings.
func (r *rig) expect(t *testing.T, want ...Reading) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-r.readings:
			if diff := cmp.Diff(w, got); diff != "" {
				t.Fatalf("reading (-want +got):\n%s", diff)
			}
		case <-time.After(enough):
			t.Fatalf("no reading, want %+v", w)
		}
	}
}

// expectNone has no reading be left.
func (r *rig) expectNone(t *testing.T) {
	t.Helper()
	select {
	case got := <-r.readings:
		t.Fatalf("reading %+v, want none", got)
	default:
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
