// SPDX-License-Identifier: Apache-2.0

package director

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOrdersOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		first, err := openOverrides(dir)
		if err != nil {
			t.Fatal(err)
		}
		first.Standby = rapid.MapOf(rapid.String(), rapid.Just(true)).Draw(t, "standby")
		first.Priority = rapid.MapOf(rapid.String(), rapid.Uint8Range(1, 254)).Draw(t, "priority")
		standby, priority := maps.Clone(first.Standby), maps.Clone(first.Priority)
		if err := first.save(); err != nil {
			t.Fatal(err)
		}
		next, err := openOverrides(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(standby, next.Standby) + cmp.Diff(priority, next.Priority); diff != "" {
			t.Errorf("orders (-written +read):\n%s", diff)
		}
	})
}

func TestDamagedOrdersAreNamed(t *testing.T) {
	for _, text := range []string{
		"", "{", `{"Version":99}`, `{"Version":1,"Standby":7}`, `{"Version":1,"Priority":{"web":300}}`,
		`{"Version":1,"Priority":{"web":0}}`, `{"Version":1,"Priority":{"web":255}}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "overrides.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openOverrides(dir)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it, and give the orders (standby, priority) again") {
			t.Errorf("%q: %v, want the file and what to do", text, err)
		}
	}
}

func FuzzOverrides(f *testing.F) {
	f.Add([]byte(`{"Version":1,"Standby":{"web":true},"Priority":{"web":120}}`))
	f.Add([]byte(`{"Version":1,"Standby":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "overrides.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := openOverrides(dir)
		if err != nil {
			return
		}
		if err := o.save(); err != nil {
			t.Fatal(err)
		}
		again, err := openOverrides(dir)
		if err != nil {
			t.Fatalf("read back: %v", err)
		}
		if diff := cmp.Diff(o, again, cmp.AllowUnexported(overrides{})); diff != "" {
			t.Errorf("orders (-written +read):\n%s", diff)
		}
	})
}
