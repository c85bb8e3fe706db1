// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestIPVSFault(t *testing.T) {
	const (
		release = "proc/sys/kernel/osrelease"
		index   = "lib/modules/6.12/modules.dep"
	)
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // part of the fault; empty: none
	}{
		{"loaded", map[string]string{release: "6.12\n", "proc/net/ip_vs": ""}, ""},
		{"loaded, as sysfs says", map[string]string{release: "6.12\n", "proc/modules": "", "sys/module/ip_vs/refcnt": "0"}, ""},
		{"to be loaded", map[string]string{release: "6.12\n", "proc/modules": "", index: "kernel/net/netfilter/ipvs/ip_vs.ko.xz: kernel/lib/libcrc32c.ko.xz\n"}, ""},
		{"modules that only others see", map[string]string{release: "6.12\n", "proc/modules": ""}, ""},
		{"no proc", map[string]string{}, ""},
		{"no modules at all", map[string]string{release: "6.12\n"}, "kernel 6.12 was built without it"},
		{"another kernel's modules", map[string]string{release: "6.12\n", "proc/modules": "", "lib/modules/6.11/modules.dep": "kernel/net/netfilter/ipvs/ip_vs.ko:\n"}, ""},
		{"no such module", map[string]string{release: "6.12\n", "proc/modules": "", index: "kernel/net/ip_vsish.ko:\n"}, "modprobe ip_vs"},
		{"modules forbidden", map[string]string{release: "6.12\n", "proc/modules": "", "proc/sys/kernel/modules_disabled": "1\n", index: "kernel/net/netfilter/ipvs/ip_vs.ko:\n"}, "kernel.modules_disabled"},
		{"modules allowed", map[string]string{release: "6.12\n", "proc/modules": "", "proc/sys/kernel/modules_disabled": "0\n", index: "kernel/net/netfilter/ipvs/ip_vs.ko:\n"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for file, text := range test.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			got := ipvsFault(root)
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("ipvsFault() = %q, want %q", got, test.want)
			}
		})
	}
}
