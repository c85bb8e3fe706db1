// SPDX-License-Identifier: Apache-2.0

package netif

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// journalVersion is the version of the journal's form that this package writes. It reads the earlier ones too.
const journalVersion = 2

// journalFile is the form of the journal: one JSON object.
type journalFile struct {
	Version     int             `json:"version"`
	Addresses   []addressRecord `json:"addresses"`
	VirtualMACs []macRecord     `json:"virtual_macs,omitempty"`
	Settings    []settingRecord `json:"settings,omitempty"`
}

// addressRecord is an address with the index of its interface; 0: not known (version 1).
type addressRecord struct {
	Address
	Index int `json:"index,omitempty"`
}

// macRecord is a macvlan interface with its base interface and the index of that.
type macRecord struct {
	Name         string `json:"name"`
	Interface    string `json:"interface"`
	Index        int    `json:"index"`
	HardwareAddr string `json:"hardware_addr"`
}

// settingRecord is the former value of the setting net.ipv4.conf.INTERFACE.NAME.
type settingRecord struct {
	Interface string `json:"interface"`
	Index     int    `json:"index"`
	Name      string `json:"name"`
	Former    string `json:"former"`
}

// journal is the file that names what is ours, or may soon be. It needs to survive the death of the process, not a power
// cut, after which the kernel's addresses are gone as well: it is replaced in one step, and never synced.
type journal struct {
	path  string
	held  holdings
	named holdings                  // the content of the file
	stale bool                      // the file differs from that, because writing it failed
	ever  atomic.Pointer[ownership] // all addresses that this process has known to be ours, for other goroutines
}

// openJournal reads the journal at path. A missing file is an empty journal.
func openJournal(path string) (*journal, error) {
	j := &journal{path: path, held: newHoldings(), named: newHoldings()}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read address journal: %w", err)
	default:
		if j.held, err = parseJournal(b); err != nil {
			return nil, fmt.Errorf("read address journal %s: %w; remove the file, and by hand any VIP that `ip address show deprecated` still lists", path, err)
		}
	}
	j.named = j.held
	j.ever.Store(&ownership{})
	j.remember()
	return j, nil
}

// record takes note of what is held. The file names that and the standing addresses, and is written only if it changes.
// When writing fails, held holds for this process nevertheless, and the next record tries again.
func (j *journal) record(held holdings, standing ownership) error {
	if !j.held.equal(held) {
		j.held = held.clone()
		j.remember()
	}
	named := held.clone()
	for a, index := range standing {
		if _, ours := named.addresses[a]; !ours {
			named.addresses[a] = index
		}
	}
	if j.named.equal(named) && !j.stale {
		return nil
	}
	j.named = named
	err := replaceFile(j.path, formatJournal(named))
	j.stale = err != nil
	if err != nil {
		return journalError{j.path, err}
	}
	return nil
}

// journalError says that the journal could not be written.
type journalError struct {
	path string
	err  error
}

func (e journalError) Error() string {
	return fmt.Sprintf("write address journal %s: %v", e.path, e.err)
}
func (e journalError) Unwrap() error { return e.err }

// JournalOnly reports whether an error of a Hold says no more than that the journal could not be written: what the
// kernel has is as wanted.
func JournalOnly(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !JournalOnly(e) })
	}
	_, ok := err.(journalError)
	return ok
}

// remember adds what is held to what this process has known to be ours.
func (j *journal) remember() {
	known := *j.ever.Load()
	var more ownership
	for a := range j.held.addresses {
		if _, ok := known[a]; !ok {
			if more == nil {
				more = maps.Clone(known)
			}
			more[a] = 0
		}
	}
	if more != nil {
		j.ever.Store(&more)
	}
}

// formatJournal returns the file that names what is held.
func formatJournal(held holdings) []byte {
	f := journalFile{Version: journalVersion, Addresses: []addressRecord{}}
	for a, index := range held.addresses {
		f.Addresses = append(f.Addresses, addressRecord{a, index})
	}
	slices.SortFunc(f.Addresses, func(a, b addressRecord) int {
		return cmp.Or(strings.Compare(a.Interface, b.Interface), a.Prefix.Compare(b.Prefix))
	})
	for name, m := range held.macs {
		f.VirtualMACs = append(f.VirtualMACs, macRecord{name, m.base, m.index, m.hardwareAddr})
	}
	slices.SortFunc(f.VirtualMACs, func(a, b macRecord) int { return strings.Compare(a.Name, b.Name) })
	for k, former := range held.settings {
		f.Settings = append(f.Settings, settingRecord{k.iface, k.index, k.name, former})
	}
	slices.SortFunc(f.Settings, func(a, b settingRecord) int {
		return cmp.Or(strings.Compare(a.Interface, b.Interface), cmp.Compare(a.Index, b.Index), strings.Compare(a.Name, b.Name))
	})
	// Strings and numbers alone, so that Marshal cannot fail.
	b, _ := json.MarshalIndent(f, "", "  ")
	return append(b, '\n')
}

// parseJournal is the inverse of formatJournal.
func parseJournal(b []byte) (holdings, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f journalFile
	if err := d.Decode(&f); err != nil {
		return holdings{}, fmt.Errorf("not a journal: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return holdings{}, errors.New("not a journal: more follows the closing brace")
	}
	if f.Version < 1 || f.Version > journalVersion {
		return holdings{}, fmt.Errorf("version %d, this program knows versions 1 to %d", f.Version, journalVersion)
	}
	held := newHoldings()
	for i, a := range f.Addresses {
		if a.Interface == "" || !a.Prefix.IsValid() || a.Index < 0 {
			return holdings{}, fmt.Errorf("address %d lacks its interface or prefix", i+1)
		}
		held.addresses[a.Address] = a.Index
	}
	for i, m := range f.VirtualMACs {
		if m.Name == "" || m.Interface == "" || m.Index < 1 || m.HardwareAddr == "" {
			return holdings{}, fmt.Errorf("virtual MAC %d lacks its name, interface or address", i+1)
		}
		held.macs[m.Name] = macLink{m.Interface, m.Index, m.HardwareAddr}
	}
	for i, s := range f.Settings {
		if _, known := baseSettings[s.Name]; !known || s.Interface == "" || s.Index < 1 {
			return holdings{}, fmt.Errorf("setting %d lacks its interface, or is none that this program changes", i+1)
		}
		if _, err := strconv.Atoi(s.Former); err != nil {
			return holdings{}, fmt.Errorf("setting %d: former value %q is not a number", i+1, s.Former)
		}
		held.settings[setting{s.Interface, s.Index, s.Name}] = s.Former
	}
	return held, nil
}

// replaceFile writes a file so that a reader sees the old content or the new one, never a part. Its errors do not name
// the temporary file, which has another name each time.
func replaceFile(path string, content []byte) (err error) {
	defer func() {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
	}()
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
