// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCPIO(t *testing.T) {
	var archive cpio
	archive.folder("d")
	archive.file("d/f", 0o755, []byte("12345"))
	archive.end()
	const want = "070701" + "00000001" + "000041ed" + "0000000000000000" + "00000001" + "00000000" + "00000000" + // inode, mode, owner, links, time, size
		"00000000000000000000000000000000" + "00000002" + "00000000" + "d\x00" + // devices, name's length, no checksum
		"070701" + "00000002" + "000081ed" + "0000000000000000" + "00000001" + "00000000" + "00000005" +
		"00000000000000000000000000000000" + "00000004" + "00000000" + "d/f\x00\x00\x00" + "12345\x00\x00\x00" +
		"070701" + "00000003" + "00000000" + "0000000000000000" + "00000001" + "00000000" + "00000000" +
		"00000000000000000000000000000000" + "0000000b" + "00000000" + "TRAILER!!!\x00\x00\x00\x00"
	if diff := cmp.Diff(want, archive.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	list := exec.Command("cpio", "--list", "--quiet")
	list.Stdin = strings.NewReader(archive.String())
	out, err := list.Output()
	if err != nil {
		t.Skipf("no second opinion: %v", err)
	}
	if diff := cmp.Diff("d\nd/f\n", string(out)); diff != "" {
		t.Errorf("list of cpio(1) (-want +got):\n%s", diff)
	}
}
