// SPDX-License-Identifier: Apache-2.0

package topo

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// mapHost is a host whose files are in a map. Symbolic links are in links, path to path.
type mapHost struct {
	files  fstest.MapFS
	links  map[string]string
	mounts []string
}

func rel(path string) string {
	if path == "/" {
		return "."
	}
	return strings.TrimPrefix(path, "/")
}

func (h mapHost) Stat(path string) (fs.FileInfo, error)      { return h.files.Stat(rel(path)) }
func (h mapHost) ReadDir(path string) ([]fs.DirEntry, error) { return h.files.ReadDir(rel(path)) }
func (h mapHost) MountPoints() ([]string, error)             { return h.mounts, nil }
func (h mapHost) EvalSymlinks(path string) (string, error) {
	for link, to := range h.links {
		if isWithin(link, path) {
			path = to + strings.TrimPrefix(path, link)
		}
	}
	_, err := h.Stat(path)
	return path, err
}

func TestPlanMounts(t *testing.T) {
	host := mapHost{
		files: fstest.MapFS{
			"src/file":              {},
			"src/dir":               {Mode: fs.ModeDir | 0o755},
			"etc/hosts":             {},
			"etc/other/mount/x":     {},
			"usr/lib":               {Mode: fs.ModeDir | 0o755},
			"run/sock":              {Mode: fs.ModeDir | 0o755},
			"a,b":                   {Mode: fs.ModeDir | 0o755},
			"lib":                   {Mode: fs.ModeSymlink | 0o777},
			"container_information": {},
		},
		links:  map[string]string{"/lib": "/usr/lib", "/var/run": "/run"},
		mounts: []string{"/", "/proc", "/etc/other/mount", "/etc/hosts", "/etc/other/mount/x", "/run"},
	}
	const (
		newRun = `mount -t tmpfs -o mode=0755 tmpfs /sys
`
		finish = `umount -l /run/*
mount --move /sys /run
mount -t sysfs sysfs /sys
`
		overlayEtc = `mkdir -p /s/overlay0/upper
mkdir -p /s/overlay0/work
mkdir -p /s/overlay0/merged
mount -t overlay -o lowerdir=/etc,upperdir=/s/overlay0/upper,workdir=/s/overlay0/work overlay /s/overlay0/merged
mount --rbind /etc/hosts /s/overlay0/merged/hosts
mount --rbind /etc/other/mount /s/overlay0/merged/other/mount
mount --move /s/overlay0/merged /etc
`
	)
	tests := []struct {
		name    string
		binds   []Bind
		want    string
		wantErr string
	}{
		{name: "no binds", want: newRun + finish},
		{name: "target exists",
			binds: []Bind{{Source: "/src/file", Target: "/etc/hosts", ReadOnly: true}},
			want: `mount --rbind /src/file /etc/hosts
mount -o remount,bind,ro /etc/hosts
` + newRun + finish},
		{name: "one overlay for two missing targets",
			binds: []Bind{{Source: "/src/dir", Target: "/etc/d"}, {Source: "/src/file", Target: "/etc/new/file"}},
			want: overlayEtc + `mkdir -p /etc/d
mount --rbind /src/dir /etc/d
mkdir -p /etc/new
touch /etc/new/file
mount --rbind /src/file /etc/new/file
` + newRun + finish},
		{name: "overlays before binds, and a mount inside an overlaid folder has its own",
			binds: []Bind{{Source: "/src/file", Target: "/etc/hosts"}, {Source: "/src/file", Target: "/etc/new"}, {Source: "/src/file", Target: "/etc/other/mount/new"}},
			want: overlayEtc + `mkdir -p /s/overlay1/upper
mkdir -p /s/overlay1/work
mkdir -p /s/overlay1/merged
mount -t overlay -o lowerdir=/etc/other/mount,upperdir=/s/overlay1/upper,workdir=/s/overlay1/work overlay /s/overlay1/merged
mount --rbind /etc/other/mount/x /s/overlay1/merged/x
mount --move /s/overlay1/merged /etc/other/mount
mount --rbind /src/file /etc/hosts
mkdir -p /etc
touch /etc/new
mount --rbind /src/file /etc/new
mkdir -p /etc/other/mount
touch /etc/other/mount/new
mount --rbind /src/file /etc/other/mount/new
` + newRun + finish},
		{name: "target through a symbolic link",
			binds: []Bind{{Source: "/src/file", Target: "/lib/f"}},
			want: `mkdir -p /s/overlay0/upper
mkdir -p /s/overlay0/work
mkdir -p /s/overlay0/merged
mount -t overlay -o lowerdir=/usr/lib,upperdir=/s/overlay0/upper,workdir=/s/overlay0/work overlay /s/overlay0/merged
mount --move /s/overlay0/merged /usr/lib
mkdir -p /usr/lib
touch /usr/lib/f
mount --rbind /src/file /usr/lib/f
` + newRun + finish},
		{name: "target in /run, by its old name too",
			binds: []Bind{{Source: "/run/sock", Target: "/run/d"}, {Source: "/src/file", Target: "/var/run/f"}},
			want: newRun + `mkdir -p /sys/d
mount --rbind /run/sock /sys/d
mkdir -p /sys
touch /sys/f
mount --rbind /src/file /sys/f
` + finish},
		{name: "target missing in the root folder",
			binds: []Bind{{Source: "/src/dir", Target: "/new/deep"}},
			want: `mkdir -p /s/root
mount -t tmpfs -o mode=0755 tmpfs /s/root
mkdir -p /s/root/a,b
mount --rbind /a,b /s/root/a,b
touch /s/root/container_information
mount --rbind /container_information /s/root/container_information
mkdir -p /s/root/etc
mount --rbind /etc /s/root/etc
cp -P /lib /s/root/lib
mkdir -p /s/root/run
mount --rbind /run /s/root/run
mkdir -p /s/root/src
mount --rbind /src /s/root/src
mkdir -p /s/root/usr
mount --rbind /usr /s/root/usr
cd /s/root; pivot_root . .; umount -l .; cd /
mkdir -p /new/deep
mount --rbind /src/dir /new/deep
` + newRun + finish},
		{name: "source missing",
			binds:   []Bind{{Source: "/src/none", Target: "/etc/hosts", Line: 7}},
			wantErr: "line 7: source of bind /src/none:/etc/hosts: open src/none: file does not exist"},
		{name: "folder that overlayfs cannot take",
			binds:   []Bind{{Source: "/src/file", Target: "/a,b/c", Line: 7}},
			wantErr: "line 7: bind to /a,b/c: its folder /a,b has a character that overlayfs reserves"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := planMounts(host, "/s", tt.binds)
			if err == nil {
				err = errors.New("")
			}
			if diff := cmp.Diff(tt.wantErr, err.Error()); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if tt.wantErr != "" {
				return
			}
			var lines strings.Builder
			for _, step := range got {
				fmt.Fprintln(&lines, step)
			}
			if diff := cmp.Diff(tt.want, lines.String()); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMountPoints(t *testing.T) {
	const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /a\040b\134c rw - tmpfs tmpfs rw
short line
`
	if diff := cmp.Diff([]string{"/", `/a b\c`}, mountPoints(mountinfo)); diff != "" {
		t.Errorf("mount points (-want +got):\n%s", diff)
	}
}
