// SPDX-License-Identifier: Apache-2.0

package speaker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lvs-ha/lvs-ha/internal/vrrp"
)

// likeness compares messages: a nil list is as good as an empty one.
var likeness = cmp.Options{
	cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmp.Exporter(func(reflect.Type) bool { return true }),
}

var (
	addresses = rapid.Custom(func(t *rapid.T) netip.Addr {
		octets := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "octets")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return netip.Addr{}
		case 1:
			return netip.AddrFrom4([4]byte(octets))
		case 2:
			return netip.AddrFrom16([16]byte(octets)).WithZone("eth0")
		}
		return netip.AddrFrom16([16]byte(octets))
	})
	prefixes = rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := addresses.Filter(netip.Addr.IsValid).Draw(t, "address").WithZone("")
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
	})
	values = rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[netip.Addr]():   addresses.AsAny(),
		reflect.TypeFor[netip.Prefix](): prefixes.AsAny(),
		reflect.TypeFor[time.Time](): rapid.Map(rapid.Int64Range(0, 4e18), func(ns int64) any {
			return time.Unix(0, ns).UTC()
		}),
		reflect.TypeFor[vrrp.State]():      rapid.SampledFrom([]vrrp.State{vrrp.Initialize, vrrp.Backup, vrrp.Master}).AsAny(),
		reflect.TypeFor[vrrp.AuthMode]():   rapid.SampledFrom([]vrrp.AuthMode{vrrp.Enforce, vrrp.Permissive, vrrp.ReceiveOnly}).AsAny(),
		reflect.TypeFor[vrrp.ReplayMode](): rapid.SampledFrom([]vrrp.ReplayMode{vrrp.ReplayTime, vrrp.ReplayMonotonic}).AsAny(),
	}}
	configures = rapid.Custom(func(t *rapid.T) Configure {
		c := rapid.MakeCustom[Configure](values).Draw(t, "configure")
		c.Settings.RealtimePriority = rapid.IntRange(0, 99).Draw(t, "priority")
		c.Settings.Heartbeat, c.Settings.Hold = c.Settings.Heartbeat.Abs(), c.Settings.Hold.Abs()
		for n := range c.Instances {
			i := &c.Instances[n]
			i.Name = fmt.Sprintf("%d/%s", n, i.Name)
			i.Interface, i.VRID, i.Priority, i.AdvertInterval, i.Lease = "eth0", max(i.VRID, 1), max(i.Priority, 1), max(i.AdvertInterval, 1), max(i.Lease, 0)
			i.Addresses = append(i.Addresses, vipOn("eth0", vip4))
			for _, list := range [][]VIP{i.Addresses, i.Excluded} {
				for v := range list {
					list[v].Interface = "eth0"
				}
			}
		}
		return c
	})
)

func anyOf[M any]() *rapid.Generator[any] { return rapid.MakeCustom[M](values).AsAny() }

// commandKinds and eventKinds make values of every message, by its kind.
var (
	commandKinds = map[string]*rapid.Generator[any]{
		"hello": anyOf[hello](), "configure": configures.AsAny(),
		"tracked": anyOf[Tracked](), "query": rapid.Just(Query{}).AsAny(), "shutdown": rapid.Just(Shutdown{}).AsAny(),
	}
	eventKinds = map[string]*rapid.Generator[any]{
		"hello":      anyOf[hello](),
		"transition": anyOf[Transition](), "fault": anyOf[Fault](), "recovered": anyOf[Recovered](), "moved": anyOf[Moved](),
		"restored": anyOf[Restored](), "foreign": anyOf[Foreign](), "contested": anyOf[Contested](), "conflict": anyOf[Conflict](),
		"claimed": anyOf[Claimed](), "priority_changed": anyOf[PriorityChanged](), "standby_refused": anyOf[StandbyRefused](),
		"stalled": anyOf[Stalled](), "discarded": anyOf[Discarded](), "failed": anyOf[Failed](), "stopped": anyOf[Stopped](),
		"status": anyOf[Status](),
	}
)

// roundTrip checks that a message of each kind arrives as it was sent.
func roundTrip[M any](t *testing.T, kinds map[string]*rapid.Generator[any], decode func([]byte) (M, error)) {
	for kind, messages := range kinds {
		t.Run(kind, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				message := messages.Draw(t, "message")
				if got, err := kindOf(message); err != nil || got != kind {
					t.Fatalf("kind = %q, %v; want %q", got, err, kind)
				}
				b, err := appendFrame([]byte("before"), message)
				if err != nil {
					t.Fatal(err)
				}
				r := bytes.NewReader(b[len("before"):])
				frame, err := readFrame(r)
				if err != nil || r.Len() != 0 {
					t.Fatalf("frame: %v, %d bytes left", err, r.Len())
				}
				got, err := decode(frame)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(message, any(got), likeness); diff != "" {
					t.Fatalf("sent (-), received (+):\n%s", diff)
				}
			})
		})
	}
}

func TestCommandsRoundTrip(t *testing.T) { roundTrip(t, commandKinds, decodeCommand) }
func TestEventsRoundTrip(t *testing.T)   { roundTrip(t, eventKinds, decodeEvent) }

// TestEveryMessageHasAKind reads the source: each type that is a Command or an
// Event can be sent, but for those that the director's end makes itself.
func TestEveryMessageHasAKind(t *testing.T) {
	local := []string{"Lost", "Started"}
	want := make(map[string][]string)
	for _, name := range []string{"message.go", "codec.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && (f.Name.Name == "command" || f.Name.Name == "event") {
				if receiver := f.Recv.List[0].Type.(*ast.Ident).Name; !slices.Contains(local, receiver) {
					want[f.Name.Name] = append(want[f.Name.Name], receiver)
				}
			}
		}
	}
	for method, kinds := range map[string]map[string]*rapid.Generator[any]{"command": commandKinds, "event": eventKinds} {
		var got []string
		for _, messages := range kinds {
			got = append(got, reflect.TypeOf(messages.Example()).Name())
		}
		slices.Sort(got)
		slices.Sort(want[method])
		if diff := cmp.Diff(want[method], got); diff != "" {
			t.Errorf("types with the method %s (-), tested kinds (+):\n%s", method, diff)
		}
	}
	for _, message := range []any{Lost{}, Started{}, "text", nil} {
		if b, err := appendFrame(nil, message); err == nil {
			t.Errorf("%T goes over the wire as %q", message, b)
		}
	}
}

// frameOf is a frame as readFrame returns it.
func frameOf(t testing.TB, message any) []byte {
	t.Helper()
	b, err := appendFrame(nil, message)
	if err != nil {
		t.Fatal(err)
	}
	return b[4:]
}

// garbled are frames that no other process of ours sends.
var garbled = []struct{ name, frame, command, event string }{
	{"empty", "", "garbled message: EOF", "garbled message: EOF"},
	{"no JSON", "\x00\xff", "garbled message", "garbled message"},
	{"truncated", `{"kind":"query","bo`, "garbled message: unexpected EOF", "garbled message: unexpected EOF"},
	{"two values", `{"kind":"hello","body":{}}{}`, "garbled message: more follows the value", "garbled message: more follows the value"},
	{"unknown kind", `{"kind":"dance","body":{}}`, `garbled message: unknown command "dance"`, `garbled message: unknown event "dance"`},
	{"no kind", `{}`, `garbled message: unknown command ""`, `garbled message: unknown event ""`},
	{"unknown field of the envelope", `{"kind":"hello","body":{},"more":1}`, "unknown field", "unknown field"},
	{"unknown field", `{"kind":"hello","body":{"Version":1,"More":1}}`, `garbled hello: json: unknown field "More"`, `garbled hello: json: unknown field "More"`},
	{"no body", `{"kind":"hello"}`, "garbled hello: EOF", "garbled hello: EOF"},
	{"wrong type", `{"kind":"hello","body":{"Version":"one"}}`, "garbled hello: json: cannot unmarshal", "garbled hello: json: cannot unmarshal"},
	{"other direction", `{"kind":"status","body":{}}`, `unknown command "status"`, ""},
	{"other direction too", `{"kind":"shutdown","body":{}}`, "", `unknown event "shutdown"`},
}

func TestGarbledFramesAreRefused(t *testing.T) {
	for _, test := range garbled {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeCommand([]byte(test.frame))
			wantError(t, err, test.command)
			_, err = decodeEvent([]byte(test.frame))
			wantError(t, err, test.event)
		})
	}
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	switch {
	case part == "" && err != nil:
		t.Errorf("error %v, want none", err)
	case part != "" && (err == nil || !strings.Contains(err.Error(), part)):
		t.Errorf("error %v, want one with %q", err, part)
	}
}

func TestConfigureOutOfRangeIsRefused(t *testing.T) {
	with := func(change func(*Instance)) Configure {
		i := instanceOf(100, vip4)
		change(&i)
		return Configure{Instances: []Instance{i}}
	}
	settings := func(s Settings) Configure { return Configure{Settings: s} }
	for _, test := range []struct {
		name      string
		configure Configure
		want      string
	}{
		{"good", with(func(*Instance) {}), ""},
		{"nothing", Configure{}, ""},
		{"no name", with(func(i *Instance) { i.Name = "" }), `instance "" without a name of its own`},
		{"name twice", Configure{Instances: []Instance{instanceOf(100, vip4), instanceOf(90, vip6)}}, `instance "web" without a name of its own`},
		{"no interface", with(func(i *Instance) { i.Interface = "" }), "web has values out of range"},
		{"VRID 0", with(func(i *Instance) { i.VRID = 0 }), "web has values out of range"},
		{"priority 0", with(func(i *Instance) { i.Priority = 0 }), "web has values out of range"},
		{"interval 0", with(func(i *Instance) { i.AdvertInterval = 0 }), "web has values out of range"},
		{"negative lease", with(func(i *Instance) { i.Lease = -1 }), "web has values out of range"},
		{"no addresses", with(func(i *Instance) { i.Addresses = nil }), "web has no addresses"},
		{"VIP without address", with(func(i *Instance) { i.Addresses[0].Prefix = netip.Prefix{} }), "web has a VIP without address or interface"},
		{"excluded VIP without interface", with(func(i *Instance) { i.Excluded = []VIP{vipOn("", vip6)} }), "web has a VIP without address or interface"},
		{"negative heartbeat", settings(Settings{Heartbeat: -1}), "settings out of range"},
		{"negative hold", settings(Settings{Hold: -1}), "settings out of range"},
		{"real-time priority 100", settings(Settings{RealtimePriority: 100}), "settings out of range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeCommand(frameOf(t, test.configure))
			wantError(t, err, test.want)
		})
	}
}

func TestReadFrame(t *testing.T) {
	head := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	for _, test := range []struct{ name, stream, frame, want string }{
		{"good", head(3) + "abcd", "abc", ""},
		{"nothing", "", "", "EOF"},
		{"half a head", "\x00\x00", "", "unexpected EOF"},
		{"length 0", head(0) + "x", "", "garbled message: length 0"},
		{"huge length", head(1<<32-1) + "x", "", "garbled message: length 4294967295"},
		{"one more than allowed", head(maxFrame+1) + "x", "", "garbled message: length"},
		{"cut off", head(maxFrame) + "x", "", "message of 268435456 bytes ends early: EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			frame, err := readFrame(strings.NewReader(test.stream))
			wantError(t, err, test.want)
			if string(frame) != test.frame {
				t.Errorf("frame %q, want %q", frame, test.frame)
			}
		})
	}
}

// TestHugeLengthCostsNoMemory: only what really comes is stored.
func TestHugeLengthCostsNoMemory(t *testing.T) {
	stream := append(binary.BigEndian.AppendUint32(nil, maxFrame), make([]byte, 1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readFrame(bytes.NewReader(stream)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for a message of 1000", got)
	}
}
