// SPDX-License-Identifier: Apache-2.0

package job

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
		words := rapid.SliceOf(word)
		j := Job{
			Argv: words.Draw(t, "argv"), Env: words.Draw(t, "env"), Writable: words.Draw(t, "writable"),
			Dir: word.Draw(t, "dir"), Guest: Guest{Modules: word.Draw(t, "modules"), Stdout: word.Draw(t, "stdout")},
		}
		if err := j.Write(dir); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(j, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("job (-written +read):\n%s", diff)
		}
	})
	want := Result{Exit: 127, Err: "not found"}
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadResult(dir); err != nil || got != want {
		t.Errorf("result: got %+v (%v), want %+v", got, err, want)
	}
}

func TestNoResult(t *testing.T) {
	if _, err := ReadResult(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want %v", err, fs.ErrNotExist)
	}
}
