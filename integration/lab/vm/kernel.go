// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lvs-ha/lvs-ha/integration/lab/deb"
)

const (
	kernelPackage = "linux-image-amd64" // depends on the package of the current kernel, which has 9p unlike the cloud kernel
	kernelPrefix  = "linux-image-"      // of that package's name, before the kernel's version
)

// debianKernel is a kernel of Debian's, unpacked in the build folder and never installed.
type debianKernel struct {
	name    string // of its package
	image   string // the ELF file that QEMU starts by the PVH protocol
	modules string // the folder with the modules' folder
}

// kernelIn returns the kernel of that name in dir.
func kernelIn(dir, name string) debianKernel {
	return debianKernel{name: name, image: filepath.Join(dir, name, "vmlinux"), modules: filepath.Join(dir, name, "lib/modules")}
}

// version returns the kernel's version, which its folder is named after.
func (k debianKernel) version() string { return strings.TrimPrefix(k.name, kernelPrefix) }

// prepareKernel returns the kernel in dir, after a download if there is none: from then on no archive is needed.
func prepareKernel(ctx context.Context, log io.Writer, dir string) (debianKernel, error) {
	present, err := filepath.Glob(filepath.Join(dir, kernelPrefix+"*", "vmlinux"))
	if err != nil {
		return debianKernel{}, err
	}
	if len(present) > 0 {
		return kernelIn(dir, filepath.Base(filepath.Dir(present[0]))), nil
	}
	if err := deb.Install(ctx, log, missingPackages(map[string][]string{"xz": {"xz-utils"}, "depmod": {"kmod"}})...); err != nil {
		return debianKernel{}, err
	}
	temp, err := os.MkdirTemp(dir, "kernel-")
	if err != nil {
		return debianKernel{}, err
	}
	defer os.RemoveAll(temp)
	name, file, err := deb.DownloadDependency(ctx, log, kernelPackage, kernelPrefix, temp)
	if err != nil {
		return debianKernel{}, err
	}
	k := kernelIn(temp, name)
	if err := k.unpack(ctx, log, file); err != nil {
		return debianKernel{}, fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
	}
	err = os.Rename(filepath.Join(temp, name), filepath.Join(dir, name))
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process may have been faster
		return debianKernel{}, err
	}
	return kernelIn(dir, name), nil
}

// unpack fills the kernel's folder from a package file.
func (k debianKernel) unpack(ctx context.Context, log io.Writer, file string) error {
	folder := filepath.Dir(k.image)
	if err := run(ctx, log, "dpkg-deb", "--extract", file, folder); err != nil {
		return err
	}
	if err := run(ctx, log, "depmod", "--basedir", folder, k.version()); err != nil {
		return err
	}
	bzImage, err := os.ReadFile(filepath.Join(folder, "boot", "vmlinuz-"+k.version()))
	if err != nil {
		return err
	}
	payload, err := bzImagePayload(bzImage)
	if err != nil {
		return err
	}
	image, err := os.Create(k.image)
	if err != nil {
		return err
	}
	defer image.Close()
	xz := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--single-stream") // the size follows the stream
	xz.Stdin, xz.Stdout, xz.Stderr = bytes.NewReader(payload), image, log
	if err := xz.Run(); err != nil {
		return fmt.Errorf("decompress the kernel: %w", err)
	}
	return image.Close()
}

// bzImagePayload returns the compressed kernel in a bzImage (Documentation/x86/boot.rst, from protocol 2.08 on). To
// decompress it in the emulated machine would take seconds at each start.
func bzImagePayload(bzImage []byte) ([]byte, error) {
	const (
		setupSectors  = 0x1f1 // one byte
		magic         = 0x202 // four bytes
		payloadOffset = 0x248 // four bytes, from the protected-mode code on
		payloadLength = 0x24c // four bytes
		headerEnd     = 0x250
		sector        = 512
	)
	if len(bzImage) < headerEnd || string(bzImage[magic:magic+4]) != "HdrS" {
		return nil, errors.New("no bzImage: it has no setup header")
	}
	code := (uint64(bzImage[setupSectors]) + 1) * sector
	start := code + uint64(binary.LittleEndian.Uint32(bzImage[payloadOffset:]))
	end := start + uint64(binary.LittleEndian.Uint32(bzImage[payloadLength:]))
	if end > uint64(len(bzImage)) {
		return nil, fmt.Errorf("the bzImage of %d bytes ends before its payload, at %d", len(bzImage), end)
	}
	payload := bzImage[start:end]
	if !bytes.HasPrefix(payload, []byte("\xfd7zXZ\x00")) {
		return nil, fmt.Errorf("the bzImage's payload begins with %x: only xz is known here", payload[:min(len(payload), 6)])
	}
	return payload, nil
}

// run runs a command with its output going to log.
func run(ctx context.Context, log io.Writer, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}
