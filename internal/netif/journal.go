// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// journalVersion is the version of the journal's form that this package reads and writes.
const journalVersion = 1

// journalFile is the form of the journal: one JSON object.
type journalFile struct {
	Version   int       `json:"version"`
	Addresses []Address `json:"addresses"`
}

// journal is the file that names the addresses that are ours. It needs to survive the death of the process, not a power
// cut, after which the kernel's addresses are gone as well: it is replaced in one step, and never synced.
type journal struct {
	path  string
	owned ownership
	stale bool // the file differs from owned, because writing it failed
}

// openJournal reads the journal at path. A missing file is an empty journal.
func openJournal(path string) (*journal, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &journal{path: path, owned: ownership{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read address journal: %w", err)
	}
	owned, err := parseJournal(b)
	if err != nil {
		return nil, fmt.Errorf("read address journal %s: %w; remove the file, and by hand any VIP that `ip address show deprecated` still lists", path, err)
	}
	return &journal{path: path, owned: owned}, nil
}

// record makes owned the content of the journal. The file is written only if that is a change. When writing fails, owned
// holds for this process nevertheless, and the next record tries again.
func (j *journal) record(owned ownership) error {
	if maps.Equal(j.owned, owned) && !j.stale {
		return nil
	}
	j.owned = owned
	err := replaceFile(j.path, formatJournal(owned))
	j.stale = err != nil
	if err != nil {
		return fmt.Errorf("write address journal %s: %w", j.path, err)
	}
	return nil
}

// addresses returns the content of the owned set in a stable order.
func (o ownership) addresses() []Address {
	return slices.SortedFunc(maps.Keys(o), func(a, b Address) int {
		if c := strings.Compare(a.Interface, b.Interface); c != 0 {
			return c
		}
		return a.Prefix.Compare(b.Prefix)
	})
}

// formatJournal returns the file that names owned.
func formatJournal(owned ownership) []byte {
	// Strings and numbers alone, so that Marshal cannot fail.
	b, _ := json.MarshalIndent(journalFile{Version: journalVersion, Addresses: owned.addresses()}, "", "  ")
	return append(b, '\n')
}

// parseJournal is the inverse of formatJournal.
func parseJournal(b []byte) (ownership, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f journalFile
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("not a journal: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a journal: more follows the closing brace")
	}
	if f.Version != journalVersion {
		return nil, fmt.Errorf("version %d, this program knows version %d", f.Version, journalVersion)
	}
	owned := make(ownership, len(f.Addresses))
	for i, a := range f.Addresses {
		if a.Interface == "" || !a.Prefix.IsValid() {
			return nil, fmt.Errorf("address %d lacks its interface or prefix", i+1)
		}
		owned[a] = struct{}{}
	}
	return owned, nil
}

// replaceFile writes a file so that a reader sees the old content or the new one, never a part.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
