// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var transition = Event{
	At:       time.Date(2026, 11, 24, 9, 30, 0, 125e6, time.UTC),
	Event:    "master",
	Instance: "web",
	From:     "backup",
	To:       "master",
	Reason:   "master down timer",
	Priority: 100,
	Peer:     "192.0.2.2",
}

// TestEventForms holds the names that commands rely on.
func TestEventForms(t *testing.T) {
	input, err := transition.input()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"at":"2026-11-24T09:30:00.125Z","event":"master","instance":"web","from":"backup","to":"master",` +
		`"reason":"master down timer","priority":100,"peer":"192.0.2.2"}` + "\n"
	if diff := cmp.Diff(want, string(input)); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
	wantVariables := []string{
		"LVSHA_EVENT=master", "LVSHA_INSTANCE=web", "LVSHA_FROM=backup", "LVSHA_TO=master", "LVSHA_REASON=master down timer",
		"LVSHA_PRIORITY=100", "LVSHA_PEER=192.0.2.2", "LVSHA_AT=2026-11-24T09:30:00.125Z",
	}
	if diff := cmp.Diff(wantVariables, transition.environment()); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestEnvironmentHasNoZeroByte(t *testing.T) {
	got := Event{Reason: "a\x00b"}.environment()[4]
	if diff := cmp.Diff("LVSHA_REASON=ab", got); diff != "" {
		t.Errorf("reason (-want +got):\n%s", diff)
	}
}

func TestInputRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Event{
			At:       time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC(),
			Event:    rapid.SampledFrom([]string{"master", "backup", "fault", "stop"}).Draw(t, "event"),
			Instance: rapid.String().Draw(t, "instance"),
			From:     rapid.String().Draw(t, "from"),
			To:       rapid.String().Draw(t, "to"),
			Reason:   rapid.String().Draw(t, "reason"),
			Priority: rapid.Uint8().Draw(t, "priority"),
			Peer:     rapid.String().Draw(t, "peer"),
		}
		input, err := want.input()
		if err != nil {
			t.Fatal(err)
		}
		var got Event
		if err := json.Unmarshal(input, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	})
}
