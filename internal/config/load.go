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
	return Parse(file, data, host)
}

// Parse reads the configuration in data. It returns all problems sorted by position; the Config is nil if any of them
// is an error.
//
// file names the data in problems, and its directory is where relative names of other files start. Parse reads the
// host name where the file gives no director.name, and the CA files that the checks name. With a nil host nothing is
// asked of the machine's interfaces; otherwise an interface that does not exist is a warning.
func Parse(file string, data []byte, host Host) (*Config, []Problem) {
	doc := newDocument(file, data)
	root, ok := doc.root()
	if !ok {
		return nil, doc.problems
	}
	r := reader{doc: doc, host: host, dir: filepath.Dir(file)}
	c := r.config(root)
	doc.reportKeys()
	sortProblems(doc.problems)
	if hasError(doc.problems) {
		return nil, doc.problems
	}
	return c, doc.problems
}
