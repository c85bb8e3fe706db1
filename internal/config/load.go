// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
)

// Host is what the validation asks of the machine that the file is for.
type Host interface {
	// InterfaceAddresses returns the addresses that the named interface carries, and whether it exists.
	InterfaceAddresses(name string) ([]netip.Prefix, bool)
	// UserExists tells whether commands can run as a user, given by name or number.
	UserExists(name string) bool
	// IPVSFault says why the kernel has no IPVS and what to do; empty: it has, or that cannot be known.
	IPVSFault() string
}

// Load reads and parses a configuration file. A file that cannot be read is one Problem without a position.
func Load(file string, host Host) (*Config, []Problem) {
	data, err := os.ReadFile(file)
	if err != nil {
		if pathError, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathError.Err
		}
		return nil, []Problem{{File: file, Message: fmt.Sprintf("cannot read the configuration: %v", err)}}
	}
	// A file that went away since then is no file that others read.
	info, err := os.Stat(file)
	return parse(file, data, host, err == nil && info.Mode().Perm()&forOthers != 0)
}

// Parse reads the configuration in data. It returns all problems sorted by position; the Config is nil if any of them
// is an error.
//
// file names the data in problems, and its directory is where relative names of other files start. Parse reads the
// host name where the file gives no director.name, and the files that the configuration names: of CAs, keys and
// passwords. With a nil host nothing is asked of the machine's interfaces, users and programs; otherwise an interface or
// a program that does not exist is a Lacking warning, and a user an error.
func Parse(file string, data []byte, host Host) (*Config, []Problem) {
	return parse(file, data, host, false)
}

// parse is Parse of a file that others than its owner can read, if it is exposed.
func parse(file string, data []byte, host Host, exposed bool) (*Config, []Problem) {
	doc := newDocument(file, data)
	root, ok := doc.root()
	if !ok {
		return nil, doc.problems
	}
	r := newReader(doc, host, filepath.Dir(file))
	r.exposed = exposed
	c := r.config(root)
	doc.reportKeys()
	doc.hideSecrets()
	sortProblems(doc.problems)
	if hasError(doc.problems) {
		return nil, doc.problems
	}
	return c, doc.problems
}
