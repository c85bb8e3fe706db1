// SPDX-License-Identifier: Apache-2.0

package director

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Kind is the kind of an Event. Its message id in the journal never changes.
type Kind uint8

// The kinds of events.
const (
	Started Kind = iota
	Stopping
	Stopped
	Reloaded
	ReloadRefused
	ConfigAdvice      // the configuration runs, but has something odd
	RoleChanged       // a VRRP instance changed state
	InstanceFault     // a VRRP instance cannot run
	InstanceRecovered // it can again
	AddressesMoved    // VIPs were added to the kernel or removed
	AddressForeign    // a VIP is on its interface that somebody else put there
	AddressRestored   // a held VIP was missing and was put back
	Contested         // a master of lower priority was heard
	ConfigConflict    // another router's configuration does not fit ours
	AdvertsDiscarded  // VRRP packets were dropped
	AddressClaimed    // another machine claims a held VIP by ARP or neighbour discovery
	PriorityChanged   // the effective priority of an instance changed
	StandbyRefused    // nobody took a role over, so that standby was given up
	Paused            // this machine stood still, and masterships were given up for it
	SpeakerLost       // the speaker's process is gone; its roles are handed over
	SpeakerStarted    // a speaker's process is at work
	Operated          // an order of the operator was carried out
	OrderDropped      // an order of the operator no longer applies
	TrackChanged      // a tracked file, command, process or quorum changed
	TrackUnreadable   // a tracked file has no number, or cannot be read
	NotifyFailed      // a notify command failed, or was not told
	SpeakerFailed     // VRRP, an address or an announcement failed; tried again
	VerdictChanged    // the probes of a real server agree on a new verdict
	TableChanged      // the kernel's IPVS table was brought to the wanted state
	TableRepaired     // it had been changed by somebody else
	TableFailed       // the kernel refused; tried again
	SyncChanged       // the kernel's sync daemon changed its role
	SyncFailed        // the kernel refused; tried again
)

var kinds = map[Kind]struct {
	id    string // MESSAGE_ID
	level slog.Level
}{
	Started:           {"888506c52a604f75a5909e2c95b382a4", slog.LevelInfo},
	Stopping:          {"ffa71031e36a4e3aa770306a50dbef15", slog.LevelInfo},
	Stopped:           {"4d139b5935774868850b83f22626cf78", slog.LevelInfo},
	Reloaded:          {"0f47df4643684feca14fa634c515b0e3", slog.LevelInfo},
	ReloadRefused:     {"4fe8d1bf99ee4ea7933e9613af17fcae", slog.LevelError},
	ConfigAdvice:      {"d2719c4be6a04f3c8b50e91f7d3a6c85", slog.LevelWarn},
	RoleChanged:       {"117029a5efeb4f1eab51b9b34525bbc6", slog.LevelInfo},
	InstanceFault:     {"41a21d15d7da47a18d205bd89be5dd20", slog.LevelError},
	InstanceRecovered: {"924b390104cf4f8c878b57f483292196", slog.LevelInfo},
	AddressesMoved:    {"04c1afcd7331417fa20dd4b3a77086f8", slog.LevelInfo},
	AddressForeign:    {"3dc5fd473eb147aca48bea32a87f88c6", slog.LevelWarn},
	AddressRestored:   {"a02e524c71894e118d00d8c716aed513", slog.LevelWarn},
	Contested:         {"261e0fc8b99245ee9cc9b642db112143", slog.LevelWarn},
	ConfigConflict:    {"c3cd63e1873d41d8bc59f64fe5034365", slog.LevelError},
	AdvertsDiscarded:  {"abf18c28116047d69b4d75b9e22d75fa", slog.LevelWarn},
	AddressClaimed:    {"3f1c7a52b1f94c6e9d5d6f0a8c1e2b47", slog.LevelError},
	PriorityChanged:   {"8a4be2c0d7d64b13a6e0c95f1b7d3e28", slog.LevelInfo},
	StandbyRefused:    {"c61d0e9fa2b8437fb04d2c7e93a5f816", slog.LevelWarn},
	Paused:            {"5be9c3f7184d4a0e8f26d1b07ca94e63", slog.LevelWarn},
	SpeakerLost:       {"e27fa6d4093b4c58b1c7085e6df2a39b", slog.LevelError},
	SpeakerStarted:    {"17d8b04ce5f34926a9be4c31f8d0627a", slog.LevelInfo},
	Operated:          {"92c4f71be08d45a3b6df19e57a3c0d84", slog.LevelInfo},
	OrderDropped:      {"a7c3e0518f2d4b69b4d15c9e60f78a32", slog.LevelWarn},
	TrackChanged:      {"6d0b95e8c27f41d4a35ef8016b9ce7d2", slog.LevelInfo},
	TrackUnreadable:   {"4f0a7d3be91c4c52b6e8d1f7302a9c64", slog.LevelWarn},
	NotifyFailed:      {"b83e4d1f6a7c40929e05c2d7f14ba86e", slog.LevelError},
	SpeakerFailed:     {"dde714bc78ae4f1cab634552137a3a13", slog.LevelError},
	VerdictChanged:    {"feda61a2d11244f5a14a874fc85b2921", slog.LevelInfo},
	TableChanged:      {"bdc7cfaa3df24ccc91609e12c767fba8", slog.LevelInfo},
	TableRepaired:     {"fa195b13018e401b9c76dfdd769b53b0", slog.LevelWarn},
	TableFailed:       {"0adbb7432ec5430eb3a70ed166f59113", slog.LevelError},
	SyncChanged:       {"94824d84313245dcb0852a8bf046ebec", slog.LevelInfo},
	SyncFailed:        {"c9b4e5d7e8954c4291ee77dfbaa0a691", slog.LevelError},
}

// Event is one change, as journal and status readers see it.
type Event struct {
	At            time.Time
	Kind          Kind
	Instance      string // VRRP instance, when it is about one
	VirtualServer string
	RealServer    string
	From, To      string
	Reason        string
	// Text is the sentence for a reader; it repeats the fields that matter.
	Text string
}

// log writes the event as one record.
func (e Event) log(ctx context.Context, l *slog.Logger) {
	k := kinds[e.Kind]
	attrs := []slog.Attr{slog.String("message_id", k.id)}
	for _, f := range []struct{ key, value string }{
		{"instance", e.Instance}, {"virtual_server", e.VirtualServer}, {"real_server", e.RealServer},
		{"from", e.From}, {"to", e.To}, {"reason", e.Reason},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	l.LogAttrs(ctx, k.level, e.Text, attrs...)
}

// transitionText says "web: backup -> master (master down timer)".
func transitionText(subject, from, to, reason string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s -> %s", subject, from, to)
	if reason != "" {
		fmt.Fprintf(&b, " (%s)", reason)
	}
	return b.String()
}
