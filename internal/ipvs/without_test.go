// SPDX-License-Identifier: Apache-2.0

package ipvs_test

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/lvs-ha/lvs-ha/internal/ipvs"
)

// TestKernelWithoutIPVS runs where the kernel has none: on most build machines, not in the lab.
func TestKernelWithoutIPVS(t *testing.T) {
	families, err := netlink.GenlFamilyList()
	if err != nil {
		t.Skipf("generic netlink is not to be had here: %v", err)
	}
	for _, f := range families {
		if f.Name == "IPVS" {
			t.Skip("the running kernel has IPVS")
		}
	}
	if out, err := exec.CommandContext(t.Context(), "modprobe", "--dry-run", "ip_vs").CombinedOutput(); err == nil {
		t.Skipf("the running kernel can load IPVS: %s", bytes.TrimSpace(out))
	}
	kernel, err := ipvs.OpenKernel(t.Context())
	if !errors.Is(err, ipvs.ErrNoIPVS) {
		t.Fatalf("kernel %v, error %v; want %v", kernel, err, ipvs.ErrNoIPVS)
	}
	for _, part := range []string{"module ip_vs could not be loaded", "CONFIG_IP_VS"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
