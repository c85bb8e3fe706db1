// SPDX-License-Identifier: Apache-2.0

package director

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

func TestOwnedServicesSurviveTheProcess(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		services := rapid.MapOf(rapid.Custom(func(t *rapid.T) ipvs.ServiceKey {
			return ipvs.ServiceKey{
				Protocol: rapid.SampledFrom([]ipvs.Protocol{ipvs.TCP, ipvs.UDP, ipvs.SCTP}).Draw(t, "protocol"),
				Address: netip.AddrPortFrom(
					rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "address"),
					rapid.Uint16().Draw(t, "port")),
			}
		}), rapid.Just(true)).Draw(t, "services")
		sync := rapid.Bool().Draw(t, "sync")

		first, err := openOwned(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.set(maps.Clone(services), sync); err != nil {
			t.Fatal(err)
		}
		next, err := openOwned(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(services, next.services); diff != "" || next.sync != sync {
			t.Errorf("sync %t, want %t; services (-written +read):\n%s", next.sync, sync, diff)
		}
	})
}

func TestDamagedStateIsNamed(t *testing.T) {
	for _, text := range []string{"", "{", `{"Version":99}`, `{"Version":1,"Services":[{"Protocol":"carrier pigeon"}]}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "ipvs.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openOwned(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%q: %v, want the file and what to do", text, err)
		}
	}
}

func TestStateDirHasOneUser(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "demand")
	first, err := lockStateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockStateDir(dir); err == nil || !strings.Contains(err.Error(), "another lvs-ha runs with state_dir "+dir) {
		t.Errorf("second lock: %v", err)
	}
	first.Close()
	again, err := lockStateDir(dir)
	if err != nil {
		t.Fatalf("after the first user is gone: %v", err)
	}
	again.Close()
}

func FuzzOwned(f *testing.F) {
	f.Add([]byte(`{"Version":1,"Services":[{"Protocol":"tcp","Address":"192.0.2.10:80"}],"Sync":true}`))
	f.Add([]byte(`{"Version":1,"Services":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "ipvs.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := openOwned(dir)
		if err != nil {
			return
		}
		// What was read can be written and read again.
		services := o.services
		o.services = nil
		if err := o.set(services, !o.sync); err != nil {
			return // a service that is none: it was never written by us
		}
		if _, err := openOwned(dir); err != nil {
			t.Errorf("read back: %v", err)
		}
	})
}
