// SPDX-License-Identifier: Apache-2.0

package main

// connectUML has little to do: the root folder is the host's.
func connectUML(jobDir string) (host, error) {
	if err := (mount{"proc", "/proc", "proc", 0, ""}).do(); err != nil {
		return host{}, err
	}
	return host{
		root:    "/",
		job:     jobDir,
		modules: []string{"overlay", "ipv6"}, // ipv6: programs expect its settings to be there before they use it
		share:   func(_, folder, to string) mount { return mount{"none", to, "hostfs", 0, folder} },
	}, nil
}
