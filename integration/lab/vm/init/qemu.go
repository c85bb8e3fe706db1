// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lvs-ha/lvs-ha/integration/lab/vm/job"
)

// Options of 9p (Documentation/filesystems/9p.rst). The host's root folder is taken for unchanging, and cached; what is
// written goes to the host at once.
const (
	share9p   = "trans=virtio,version=9p2000.L,msize=262144"
	cached9p  = share9p + ",ro,cache=loose"
	written9p = share9p + ",cache=none"
)

// connectQEMU loads what the initramfs holds, and mounts the host's root folder and the job folder.
func connectQEMU(string) (host, error) {
	modules, err := filepath.Glob("/modules/*.ko") // sorted, which is the order to load them in
	if err != nil {
		return host{}, err
	}
	for _, module := range modules {
		if err := load(module); err != nil {
			return host{}, err
		}
	}
	if err := os.RemoveAll("/modules"); err != nil {
		return host{}, fmt.Errorf("free the initramfs: %w", err)
	}
	h := host{root: "/host", job: "/job"}
	h.share = func(tag, _, to string) mount {
		if tag == job.JobTag {
			return mount{h.job, to, "", unix.MS_BIND, ""} // a tag cannot be mounted twice
		}
		return mount{tag, to, "9p", 0, written9p}
	}
	return h, mountAll([]mount{{job.RootTag, h.root, "9p", 0, cached9p}, {job.JobTag, h.job, "9p", 0, written9p}})
}
