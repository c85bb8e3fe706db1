// SPDX-License-Identifier: Apache-2.0

package kmod

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"modules.builtin": "kernel/net/ipv6/ipv6.ko\n",
		"modules.dep": `kernel/lib/ring.ko:
kernel/lib/virtio-bus.ko.xz: kernel/lib/ring.ko
kernel/drivers/pci.ko: kernel/lib/virtio-bus.ko.xz kernel/lib/ring.ko
kernel/drivers/console.ko: kernel/lib/virtio-bus.ko.xz kernel/lib/ring.ko
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name    string
		modules []string
		want    []string
		wantErr string
	}{
		{name: "none"},
		{name: "what it needs comes first", modules: []string{"pci"},
			want: []string{"kernel/lib/ring.ko", "kernel/lib/virtio-bus.ko.xz", "kernel/drivers/pci.ko"}},
		{name: "each once", modules: []string{"pci", "virtio_bus", "console"},
			want: []string{"kernel/lib/ring.ko", "kernel/lib/virtio-bus.ko.xz", "kernel/drivers/pci.ko", "kernel/drivers/console.ko"}},
		{name: "built in", modules: []string{"ipv6", "ring"}, want: []string{"kernel/lib/ring.ko"}},
		{name: "unknown", modules: []string{"ip_vs"}, wantErr: folder + " has no module ip_vs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Order(folder, tt.modules...)
			if (err == nil) != (tt.wantErr == "") || err != nil && err.Error() != tt.wantErr {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			var want []string
			for _, file := range tt.want {
				want = append(want, filepath.Join(folder, file))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}
