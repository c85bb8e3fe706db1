// SPDX-License-Identifier: Apache-2.0

package track

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// procfs is where the proc file system is mounted.
type procfs string

// process is what a running process is told by.
type process struct {
	comm string // of its main thread, at most 15 bytes
	exe  string // path of its executable, empty for a kernel thread, or where it may not be read
}

// look returns the running process pid. A zombie does not run.
func (p procfs) look(pid int) (process, bool) {
	folder := filepath.Join(string(p), strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return process{}, false
	}
	comm, state, err := parseStat(text)
	if err != nil || state == 'Z' || state == 'X' {
		return process{}, false
	}
	exe, err := os.Readlink(filepath.Join(folder, "exe"))
	if err != nil {
		exe = ""
	}
	return process{comm, strings.TrimSuffix(exe, " (deleted)")}, true // deleted: replaced by an update
}

// scan calls see for every running process.
func (p procfs) scan(see func(pid int, found process)) error {
	folder, err := os.Open(string(p))
	if err != nil {
		return fmt.Errorf("scan processes: %w", err)
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("scan processes: %w", err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if found, ok := p.look(pid); ok {
			see(pid, found)
		}
	}
	return nil
}

// parseStat reads the comm and the state out of a /proc/PID/stat (proc_pid_stat(5)). The comm is in parentheses and may
// have any byte itself.
func parseStat(text []byte) (comm string, state byte, err error) {
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return "", 0, errors.New("no comm in parentheses")
	}
	rest := text[end+1:]
	if len(rest) < 3 || rest[0] != ' ' || rest[2] != ' ' {
		return "", 0, errors.New("no state after the comm")
	}
	return string(text[begin+1 : end]), rest[1], nil
}
