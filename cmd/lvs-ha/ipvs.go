// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// IPVSFault implements config.Host. It asks nothing that would load the module
// or need a privilege.
func (machine) IPVSFault() string { return ipvsFault(os.DirFS("/")) }

// ipvsFault says why a kernel has no IPVS and what to do, by the files of its
// machine. Where it could still load the module, or only others can see the
// modules, as from a container, it is silent.
func ipvsFault(root fs.FS) string {
	has := func(file string) bool {
		_, err := fs.Stat(root, file)
		return err == nil
	}
	text := func(file string) string {
		b, _ := fs.ReadFile(root, file) // what cannot be read tells nothing
		return string(bytes.TrimSpace(b))
	}
	release := text("proc/sys/kernel/osrelease")
	if release == "" || has("proc/net/ip_vs") || has("sys/module/ip_vs") {
		return ""
	}
	if !has("proc/modules") {
		return fmt.Sprintf("kernel %s was built without it and cannot load modules: boot a kernel with CONFIG_IP_VS", release)
	}
	if text("proc/sys/kernel/modules_disabled") == "1" {
		return "module ip_vs is not loaded, and kernel.modules_disabled = 1 keeps it out: have it loaded at boot (/etc/modules-load.d) and reboot"
	}
	folder := "lib/modules/" + release
	if index := text(folder + "/modules.dep"); index != "" && !strings.Contains(index, "/ip_vs.ko") {
		return fmt.Sprintf("kernel %s has no module ip_vs in /%s: install the package of its modules and run `modprobe ip_vs`, or boot a kernel with CONFIG_IP_VS", release, folder)
	}
	return ""
}
