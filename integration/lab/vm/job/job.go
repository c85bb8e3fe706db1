// SPDX-License-Identifier: Apache-2.0

// Package job is what a virtual machine's two sides tell each other through the job folder: one file with the command
// on the way in, one with its end on the way out.
package job

import (
	"encoding/gob"
	"fmt"
	"os"
	"path/filepath"
)

// The machine's consoles beside the kernel's own, as file descriptors of its process on the host.
const (
	StdoutFD  = 3
	StderrFD  = 4
	ControlFD = 5 // from the host: numbers of signals for the command, one a line
)

// Param is the kernel parameter that names the job folder. The kernel hands it to init as an environment variable.
const Param = "LAB_JOB"

// Tags of the folders that a QEMU machine shares with its guest over 9p. The folders of Job.Writable follow, see ShareTag.
const (
	RootTag = "root" // the host's root folder, read-only
	JobTag  = "job"  // the job folder
)

// ShareTag returns the tag of Job.Writable[i].
func ShareTag(i int) string { return fmt.Sprintf("share%d", i) }

// Guest is what the two kinds of machine have at different places.
type Guest struct {
	Modules                 string // the host's folder with the guest kernel's modules, by version
	Stdout, Stderr, Control string // the guest's devices for the consoles
}

// Job is one command to run in a guest.
type Job struct {
	Argv     []string
	Env      []string // NAME=VALUE
	Dir      string   // working directory
	Writable []string // folders of the host that the guest may write, absolute
	Guest    Guest
}

// Result is how a job ended.
type Result struct {
	Exit int    // exit code; 128 plus the signal's number when one ended the command
	Err  string // why the command could not be run at all
}

// The files in the job folder. They are in gob: JSON would change a word that is not UTF-8.
const (
	jobFile    = "job"
	resultFile = "result"
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
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("write job folder: %w", err)
	}
	defer f.Close()
	if err := gob.NewEncoder(f).Encode(v); err != nil {
		return fmt.Errorf("write %s into job folder: %w", name, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s into job folder: %w", name, err)
	}
	return nil
}

func read(dir, name string, v any) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("read job folder: %w", err)
	}
	defer f.Close()
	if err := gob.NewDecoder(f).Decode(v); err != nil {
		return fmt.Errorf("read %s from job folder: %w", name, err)
	}
	return nil
}
