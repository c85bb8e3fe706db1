// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// osView is the hostView of the calling thread, which may be inside a node.
type osView struct{}

func (osView) EvalSymlinks(path string) (string, error)   { return filepath.EvalSymlinks(path) }
func (osView) Stat(path string) (fs.FileInfo, error)      { return os.Stat(path) }
func (osView) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

func (osView) MountPoints() ([]string, error) {
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mount points: %w", err)
	}
	return mountPoints(string(text)), nil
}

// mountPoints returns the mount points in /proc/PID/mountinfo (proc(5)): the fifth field, blanks written in octal.
func mountPoints(mountinfo string) []string {
	var points []string
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 4 {
			points = append(points, unescapeOctal(f[4]))
		}
	}
	return points
}

// unescapeOctal replaces \NNN, as the kernel writes blanks and backslashes in mountinfo.
func unescapeOctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
