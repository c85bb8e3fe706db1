// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Auth configures the authentication of draft-cassen-vrrp-auth-hmac, as
// keepalived 2.4.2 and later speak it: a trailer with an HMAC and a sequence
// made of the time.
type Auth struct {
	Mode AuthMode
	// Keys verify what is received. Their ids differ.
	Keys []Key
	// Active is the id of the key that signs, one of Keys. To change keys, add
	// the new one everywhere, then make it the active one everywhere, then
	// remove the old one.
	Active uint8
	Replay ReplayMode
	// Window is how far the time of a message may be from ours in [ReplayTime];
	// 0: the larger of three own intervals and 5 s.
	Window time.Duration
}

// Key is a secret shared by the routers of a group.
type Key struct {
	ID uint8
	// Secret is 32 to 64 octets.
	Secret []byte
}

// String names the key without its secret.
func (k Key) String() string { return fmt.Sprintf("key %d", k.ID) }

// GoString is String, so that no verb of package fmt prints the secret.
func (k Key) GoString() string { return k.String() }

const minWindow = 5 * time.Second

// window is Window or its default for a router with the given interval.
func (a *Auth) window(interval time.Duration) time.Duration {
	if a.Window > 0 {
		return a.Window
	}
	return max(3*interval, minWindow)
}

// AuthMode says what is signed and what is accepted. A group of routers
// changes over without a gap in the order receive-only, permissive, enforce.
type AuthMode uint8

const (
	// Enforce signs and accepts only what is signed.
	Enforce AuthMode = iota
	// Permissive signs, and accepts also what has no trailer.
	Permissive
	// ReceiveOnly signs nothing and accepts what has no trailer.
	ReceiveOnly
)

var authModes = []string{Enforce: "enforce", Permissive: "permissive", ReceiveOnly: "receive-only"}

// String returns "enforce", "permissive" or "receive-only".
func (m AuthMode) String() string { return wordOf(authModes, uint8(m), "auth mode") }

// MarshalText returns the mode's word. It never fails.
func (m AuthMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText takes the mode's word.
func (m *AuthMode) UnmarshalText(text []byte) error {
	i, err := indexOf(authModes, string(text), "auth mode")
	if err == nil {
		*m = AuthMode(i)
	}
	return err
}

// ReplayMode says how a replayed message is recognised.
type ReplayMode uint8

const (
	// ReplayTime wants a time near ours and a sequence that grows. The clocks
	// must be synchronised.
	ReplayTime ReplayMode = iota
	// ReplayMonotonic wants only a sequence that grows. A router that was
	// restarted knows no sequences: what was recorded before can be replayed
	// to it until the sender is heard again.
	ReplayMonotonic
)

var replayModes = []string{ReplayTime: "time", ReplayMonotonic: "monotonic"}

// String returns "time" or "monotonic".
func (m ReplayMode) String() string { return wordOf(replayModes, uint8(m), "replay mode") }

// MarshalText returns the mode's word. It never fails.
func (m ReplayMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText takes the mode's word.
func (m *ReplayMode) UnmarshalText(text []byte) error {
	i, err := indexOf(replayModes, string(text), "replay mode")
	if err == nil {
		*m = ReplayMode(i)
	}
	return err
}

func wordOf(words []string, i uint8, what string) string {
	if int(i) >= len(words) {
		return fmt.Sprintf("%s %d", what, i)
	}
	return words[i]
}

func indexOf(words []string, word, what string) (int, error) {
	i := slices.Index(words, word)
	if i < 0 {
		return 0, fmt.Errorf("%s %q is unknown: want one of %s", what, word, strings.Join(words, ", "))
	}
	return i, nil
}
