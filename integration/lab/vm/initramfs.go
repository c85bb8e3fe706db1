// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/kmod"
)

// bootModules are what init needs to reach the host: its files, the overlay over them, and the consoles.
var bootModules = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"}

// prepareInitramfs returns an initramfs with an init and the modules it needs, written once next to init.
func prepareInitramfs(init string, kernel debianKernel) (string, error) {
	file := init + "-" + kernel.version() + ".cpio"
	return file, makeOnce(file, func(temp string) error { return writeInitramfs(temp, init, kernel) })
}

func writeInitramfs(file, init string, kernel debianKernel) error {
	modules, err := kmod.Order(filepath.Join(kernel.modules, kernel.version()), bootModules...)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(init)
	if err != nil {
		return err
	}
	var archive cpio
	archive.folder("modules")
	for i, module := range modules {
		text, err := readModule(module)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(filepath.Base(module), ".ko")
		archive.file(fmt.Sprintf("modules/%02d-%s.ko", i, name), 0o644, text) // init loads them in the order of their names
	}
	archive.file("init", 0o755, program)
	archive.end()
	return os.WriteFile(file, archive.Bytes(), 0o644)
}

// readModule returns a module's ELF file.
func readModule(file string) ([]byte, error) {
	if !strings.HasSuffix(file, ".xz") {
		return os.ReadFile(file)
	}
	text, err := exec.Command("xz", "--decompress", "--stdout", file).Output()
	if err != nil {
		return nil, fmt.Errorf("decompress module %s: %w", file, err)
	}
	return text, nil
}

// cpio is an archive in the format "newc", which the kernel unpacks (Documentation/driver-api/early-userspace/
// buffer-format.rst).
type cpio struct {
	bytes.Buffer
	inode int
}

// File types (inode(7)).
const (
	typeFile   = 0o100000
	typeFolder = 0o040000
)

func (c *cpio) file(name string, mode int, text []byte) { c.entry(name, typeFile|mode, text) }
func (c *cpio) folder(name string)                      { c.entry(name, typeFolder|0o755, nil) }
func (c *cpio) end()                                    { c.entry("TRAILER!!!", 0, nil) }

func (c *cpio) entry(name string, mode int, text []byte) {
	c.inode++
	fields := []int{c.inode, mode, 0, 0, 1, 0, len(text), 0, 0, 0, 0, len(name) + 1, 0}
	_, _ = io.WriteString(c, "070701") // a buffer takes everything
	for _, f := range fields {
		fmt.Fprintf(c, "%08x", f)
	}
	_, _ = io.WriteString(c, name+"\x00")
	c.align()
	_, _ = c.Write(text)
	c.align()
}

// align fills up to a multiple of four bytes.
func (c *cpio) align() { _, _ = c.Write(make([]byte, -c.Len()&3)) }
