// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvs-ha/lvs-ha/internal/command"
)

// TestRealCommands has programs log their events, of several instances at once.
func TestRealCommands(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var failures []error
	r := New(func(f Failure) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, f.Err)
	})
	own := strconv.Itoa(os.Geteuid())
	r.Set([]Command{
		{
			Argv: []string{"/bin/sh", "-c", `cat >> "$0/$LVSHA_INSTANCE.json"; echo "$LVSHA_EVENT $LVSHA_PRIORITY" >> "$0/$LVSHA_INSTANCE.env"`, dir},
			User: own, Timeout: 30 * time.Second,
		},
		{Argv: []string{"/bin/sh", "-c", "echo sorry; exit 7"}, User: own, Timeout: 30 * time.Second, Events: []string{"stop"}},
	})
	ended := make(chan error, 1)
	go func() { ended <- r.Run(t.Context()) }()

	want := map[string][]Event{}
	var wantEnv strings.Builder
	for n := range 10 {
		for _, instance := range []string{"a", "b", "c"} {
			e := transition
			e.Instance, e.Priority = instance, uint8(n)
			if n == 9 {
				e.Event = "stop"
			}
			r.Notify(e)
			want[instance] = append(want[instance], e)
		}
		fmt.Fprintf(&wantEnv, "%s %d\n", want["a"][n].Event, n)
	}
	r.Close(t.Context())
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}

	got := map[string][]Event{}
	for instance := range want {
		text, err := os.ReadFile(filepath.Join(dir, instance+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var e Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			got[instance] = append(got[instance], e)
		}
		env, err := os.ReadFile(filepath.Join(dir, instance+".env"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantEnv.String(), string(env)); diff != "" {
			t.Errorf("environment of %s (-want +got):\n%s", instance, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	if len(failures) != 3 {
		t.Errorf("%d failures, want one for each stop event", len(failures))
	}
	for _, err := range failures {
		var failed *command.Error
		if !errors.As(err, &failed) || failed.Status != 7 || failed.Output != "sorry\n" {
			t.Errorf("failure %v, want exit status 7", err)
		}
	}
}
