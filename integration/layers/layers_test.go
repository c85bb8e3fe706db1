// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFollowCountsTestsAndShowsWhatFailed(t *testing.T) {
	const stream = `{"Action":"output","Package":"p","Test":"TestA","Output":"words of A\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"lab: the machine has died\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"words of B\n"}
{"Action":"pass","Package":"p","Test":"TestB/sub"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestC","Output":"words of C\n"}
{"Action":"skip","Package":"p","Test":"TestC"}
{"Action":"output","Package":"p","Test":"TestD","Output":"words of D\n"}
{"Action":"output","Package":"p","Test":"TestD/sub","Output":"exit status 125\n"}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"Action":"skip","Package":"no tests here"}
{"Action":"build-output","ImportPath":"q","Output":"q.go:1: no\n"}
{"Action":"build-fail","ImportPath":"q"}
not JSON
`
	var out strings.Builder
	got := follow(strings.NewReader(stream), &out)
	if want := (tally{passed: 1, failed: 2, skipped: 1}); got != want {
		t.Errorf("tally = %+v, want %+v", got, want)
	}
	want := "lab: the machine has died\nwords of B\nwords of C\nwords of D\n    TestD did not end\nexit status 125\n    TestD/sub did not end\nfail p 1.5s\nq.go:1: no\nnot JSON\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestFindTestsNamesThoseOfALayer(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"a/x_lab_test.go": "package a\nfunc TestOne(t *testing.T) {}\nfunc TestMain(m *testing.M) {}\nfunc helper() {}\n",
		"b/y_lab_test.go": "package b\nfunc TestTwo(t *testing.T) {}\n",
		"b/y_test.go":     "package b\nfunc TestUnit(t *testing.T) {}\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	got, err := findTests(".", "_lab_test.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"./a": {"TestOne"}, "./b": {"TestTwo"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	if got, want := pattern(got, []string{"./a", "./b"}), "^(TestOne|TestTwo)$"; got != want {
		t.Errorf("pattern = %s, want %s", got, want)
	}
}

func TestALayerThatDidNotRunFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		layer layer
		t     tally
		ok    bool
	}{
		{"all passed", layers[2], tally{passed: 3}, true},
		{"none ran", layers[0], tally{}, false},
		{"all skipped", layers[1], tally{skipped: 3}, false},
		{"one skipped", layers[2], tally{passed: 2, skipped: 1}, false},
		{"one unit test skipped", layers[0], tally{passed: 2, skipped: 1}, true},
	} {
		if err := test.layer.judge(test.t); (err == nil) != test.ok {
			t.Errorf("%s: %v, want ok %t", test.name, err, test.ok)
		}
	}
}
