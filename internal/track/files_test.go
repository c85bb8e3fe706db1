// SPDX-License-Identifier: Apache-2.0

package track

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func number(name string, value int) Reading { return Reading{Name: name, Value: value, OK: true} }

func missing(name, path string) Reading {
	return Reading{Name: name, Absent: true, Detail: "open " + path + ": no such file or directory"}
}

// TestFileChanges is told of every change by inotify: there is no regular look.
func TestFileChanges(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "disk")
	r := newRig(t)
	r.pace.files = never
	r.Set([]Tracker{{Name: "d", File: path}})
	r.start(t)

	r.expect(t, missing("d", path))
	write(t, path, "7\n")
	r.expect(t, number("d", 7))
	write(t, path+".new", "-9")
	must(t, os.Rename(path+".new", path))
	r.expect(t, number("d", -9))
	must(t, os.Rename(path, path+".old"))
	r.expect(t, missing("d", path))
	must(t, os.Rename(path+".old", path))
	r.expect(t, number("d", -9))
	write(t, path, "up")
	r.expect(t, Reading{Name: "d", Detail: "read " + path + `: holds "up", expected a number`})
	write(t, path, "1")
	r.expect(t, number("d", 1))
	must(t, os.Remove(path))
	r.expect(t, missing("d", path))
}

// TestWriterThatEmptiesFirst has the file empty for a moment, which does not count.
func TestWriterThatEmptiesFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	write(t, path, "1")
	r := newRig(t)
	r.pace.files, r.pace.patience = never, never
	r.Set([]Tracker{{Name: "d", File: path}})
	r.start(t)
	r.expect(t, number("d", 1))
	for value := 2; value < 50; value++ {
		write(t, path, "") // a change of its own
		write(t, path, string(rune('0'+value%10)))
		r.expect(t, number("d", value%10))
	}
}

func TestPatienceEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	write(t, path, "1")
	r := newRig(t)
	r.pace.files = never
	r.Set([]Tracker{{Name: "d", File: path}})
	r.start(t)
	r.expect(t, number("d", 1))
	write(t, path, "")
	r.expect(t, Reading{Name: "d", Detail: "read " + path + ": empty, expected a number"})
}

// TestFolderComesLater has only the regular look notice the folder. What happens in it is then told by inotify.
func TestFolderComesLater(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(folder, "disk")
	r := newRig(t)
	r.pace.files = 10 * time.Millisecond
	r.Set([]Tracker{{Name: "d", File: path}})
	r.start(t)
	r.expect(t, missing("d", path))
	for value := range 3 { // and goes, and comes again
		must(t, os.Mkdir(folder, 0o755))
		write(t, path, string(rune('1'+value)))
		r.expect(t, number("d", value+1))
		must(t, os.RemoveAll(folder))
		r.expect(t, missing("d", path))
	}
}

// TestSymbolicLink changes what a link in the folder points to, which inotify does not tell.
func TestSymbolicLink(t *testing.T) {
	target, link := filepath.Join(t.TempDir(), "target"), filepath.Join(t.TempDir(), "link")
	write(t, target, "1")
	must(t, os.Symlink(target, link))
	r := newRig(t)
	r.pace.files = 10 * time.Millisecond
	r.Set([]Tracker{{Name: "d", File: link}})
	r.start(t)
	r.expect(t, number("d", 1))
	write(t, target, "2")
	r.expect(t, number("d", 2))
}

// TestFolderUnderTwoNames has inotify know one folder by the first of two paths only.
func TestFolderUnderTwoNames(t *testing.T) {
	folder, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	must(t, os.Symlink(folder, other))
	r := newRig(t)
	r.pace.files = never
	r.Set([]Tracker{{Name: "a", File: folder + "/disk"}})
	r.start(t)
	r.expect(t, missing("a", folder+"/disk"))
	r.Set([]Tracker{{Name: "a", File: folder + "/disk"}, {Name: "b", File: other + "/disk"}})
	r.expect(t, missing("b", other+"/disk"))
	must(t, os.WriteFile(folder+"/new", []byte("3"), 0o644))
	must(t, os.Rename(folder+"/new", folder+"/disk"))
	r.expect(t, number("a", 3), number("b", 3))
}

func TestSetFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "1")
	write(t, b, "2")
	r := newRig(t)
	r.pace.files = never
	r.start(t)
	r.Set([]Tracker{{Name: "a", File: a}})
	r.expect(t, number("a", 1))
	r.Set([]Tracker{{Name: "a", File: a}, {Name: "b", File: b}}) // a is as it was
	r.expect(t, number("b", 2))
	r.Set([]Tracker{{Name: "a", File: b}}) // another file: reported although it is set later
	r.expect(t, number("a", 2))
	write(t, a, "5") // no longer tracked
	write(t, b, "6")
	r.expect(t, number("a", 6))
	r.Set(nil)
	r.Set([]Tracker{{Name: "a", File: b}})
	r.expectNone(t)
}
