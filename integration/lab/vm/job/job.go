// SPDX-License-Identifier: Apache-2.0

// Package job is what a virtual machine's two sides tell each other through the job folder: one file with the command
// on the way in, one with its end on the way out.
package job

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The machine's consoles, after con0, the kernel's own. Each is a file descriptor of user-mode Linux on the host and a
// terminal in the guest.
const (
	StdoutFD, StdoutTTY   = 3, "/dev/tty1"
	StderrFD, StderrTTY   = 4, "/dev/tty2"
	ControlFD, ControlTTY = 5, "/dev/tty3" // from the host: numbers of signals for the command, one a line
)

// Param is the kernel parameter that names the job folder. The kernel hands it to init as an environment variable.
const Param = "LAB_JOB"

// Job is one command to run in a guest.
type Job struct {
	Argv     []string
	Env      []string // NAME=VALUE
	Dir      string   // working directory
	Writable []string // folders of the host that the guest may write, absolute
	Modules  string   // the host's folder with the guest kernel's modules, by version
}

// Result is how a job ended.
type Result struct {
	Exit int    // exit code; 128 plus the signal's number when one ended the command
	Err  string `json:",omitempty"` // why the command could not be run at all
}

const (
	jobFile    = "job.json"
	resultFile = "result.json"
)

// Write puts a job into its folder.
func (j Job) Write(dir string) error { return write(dir, jobFile, j) }

// Read returns the job in a folder.
func Read(dir string) (j Job, err error) { return j, read(dir, jobFile, &j) }

// Write puts a result into the job's folder, and through to the host.
func (r Result) Write(dir string) error { return write(dir, resultFile, r) }

// ReadResult returns the result in a job's folder; fs.ErrNotExist when the guest has left none.
func ReadResult(dir string) (r Result, err error) { return r, read(dir, resultFile, &r) }

func write(dir, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("write job folder: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("write job folder: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write job folder: %w", err)
	}
	return nil
}

func read(dir, name string, v any) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("read job folder: %w", err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("decode %s: %w", name, err)
	}
	return nil
}
